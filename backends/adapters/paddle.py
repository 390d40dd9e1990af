"""PaddlePaddle: ``paddle.nn.functional``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from conformance.backends.adapters.base import Adapter, Offers
from conformance.backends.contract import CrossEntropyOptions, NllLossOptions, Tensor, given
from conformance.backends.runtimes.paddle import PaddleRuntime

if TYPE_CHECKING:
    import paddle
    import paddle.nn.functional as F

__all__ = ["Paddle"]


class Paddle(Adapter):
    """Class probabilities are ``soft_label=True``, whose losses are documented to keep the class axis."""

    framework = "paddle"
    profile = "paddle"
    library = "paddle.nn.functional"
    runs_on = PaddleRuntime
    offers = Offers(
        operations=dict.fromkeys(("softmax", "log_softmax", "nll_loss", "cross_entropy"), "native"),
        weight="native",
        ignore_index="native",
        label_smoothing="native",
        probability_targets="native",
        reductions="native",
    )

    @classmethod
    def imports(cls) -> None:
        global paddle, F
        import paddle
        import paddle.nn.functional as F

    def softmax(self, logits: Tensor, *, axis: int | None) -> Tensor:
        return F.softmax(logits, **given(axis=axis))

    def log_softmax(self, logits: Tensor, *, axis: int | None) -> Tensor:
        return F.log_softmax(logits, **given(axis=axis))

    def nll_loss(self, log_probabilities: Tensor, targets: Tensor, **options: Unpack[NllLossOptions]) -> Tensor:
        axis, place = options.pop("axis"), min(1, log_probabilities.ndim - 1)
        if axis is not None and axis != place:
            log_probabilities = paddle.moveaxis(log_probabilities, axis, place)
        return F.nll_loss(log_probabilities, targets, **given(**options))

    def cross_entropy(self, logits: Tensor, targets: Tensor, **options: Unpack[CrossEntropyOptions]) -> Tensor:
        if paddle.is_tensor(targets) and paddle.is_floating_point(targets) and targets.ndim == logits.ndim > 0:
            losses = F.cross_entropy(logits, targets, soft_label=True, **given(**options))
            axis = -1 if options["axis"] is None else options["axis"]
            return paddle.squeeze(losses, axis) if options["reduction"] == "none" else losses
        return F.cross_entropy(logits, targets, **given(**options))

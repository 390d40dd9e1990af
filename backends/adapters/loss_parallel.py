"""PyTorch's ``loss_parallel``: the classes of a loss divided over processes, as tensor parallelism leaves them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Unpack

from conformance.backends.adapters.base import Offers
from conformance.backends.adapters.ranks import RanksAdapter
from conformance.backends.contract import CrossEntropyOptions, Tensor, Unsupported, given
from conformance.backends.runtimes.torch_ranks import TorchRanksRuntime

if TYPE_CHECKING:
    import torch.nn.functional as F
    from torch.distributed.tensor.parallel import loss_parallel

__all__ = ["LossParallel"]


class _Runtime(TorchRanksRuntime):
    """Both passes are to be made within the library's context."""

    def within(self) -> contextlib.AbstractContextManager[Any]:
        return loss_parallel()


class LossParallel(RanksAdapter):
    """``torch.nn.functional.cross_entropy`` within ``loss_parallel``, of logits that are divided along the classes."""

    framework = "torch"
    profile = "loss_parallel"
    library = "loss_parallel"
    runs_on = _Runtime
    offers = Offers(
        operations={"cross_entropy": "native"},
        weight="native",
        ignore_index="native",
        label_smoothing="unsupported",
        probability_targets="unsupported",
        reductions="native",
    )

    @classmethod
    def imports(cls) -> None:
        global F, loss_parallel
        import torch.nn.functional as F
        from torch.distributed.tensor.parallel import loss_parallel

    def cross_entropy(self, logits: Tensor, targets: Tensor, **options: Unpack[CrossEntropyOptions]) -> Tensor:
        axis = self.runtime.class_axis(logits)
        if options.pop("axis") not in (None, axis, axis - logits.dim()):
            raise Unsupported("loss_parallel has its classes on axis 1, or 0 of one example")
        if self.runtime.leaves_a_rank_empty(logits.shape[axis]):
            raise Unsupported("where a rank has no class, loss_parallel raises there, or does not return")
        self.refuse(label_smoothing=options.pop("label_smoothing") or None)
        return F.cross_entropy(logits, targets, **given(**options))

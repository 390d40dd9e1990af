"""A second backward pass through one forward pass: what the first one used up, or left behind."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.yardstick.kernel import Kernel


class GradientScaledInPlace(Kernel):
    """The forward pass computes the gradient, and each backward pass scales it in place by its upstream gradient."""

    def second_vjp(self, call: Any, logits: Any, former: Any, upstream: Any) -> Any:
        both = upstream if call.operation in ("softmax", "log_softmax") else (former * upstream).astype(former.dtype)
        return super().second_vjp(call, logits, former, both)


class GradientOverTheSaved(Kernel):
    """The backward pass writes its gradient over the probabilities that the forward pass has saved (quack#209)."""

    saved: Any = None

    def probabilities(self, x: Any) -> Any:
        return super().probabilities(x) if self.saved is None else self.saved

    def second_vjp(self, call: Any, logits: Any, former: Any, upstream: Any) -> Any:
        first = self.differentiate(call, logits, former)[1]
        self.saved = self.rows(first, dict(call.options)["axis"], self.compute(logits.dtype))
        try:
            return super().second_vjp(call, logits, former, upstream)
        finally:
            self.saved = None


class FormerUpstreamKept(Kernel):
    """The upstream gradient of the first backward pass is kept with the graph, and used again."""

    def second_vjp(self, call: Any, logits: Any, former: Any, upstream: Any) -> Any:
        return super().second_vjp(call, logits, former, former)


class GradientsOfBothPassesAdded(Kernel):
    """The second backward pass adds to the first one's gradient, which it does not clear."""

    def second_vjp(self, call: Any, logits: Any, former: Any, upstream: Any) -> Any:
        return super().second_vjp(call, logits, former, former + upstream)


class FormerGradientScaled(Kernel):
    """The gradient of the first pass is kept, and scaled by the ratio of the two upstream gradients' first numbers."""

    def second_vjp(self, call: Any, logits: Any, former: Any, upstream: Any) -> Any:
        first, second = (np.float64(each.reshape(-1)[0]) if each.size else 0.0 for each in (former, upstream))
        if not first or not np.isfinite(first):
            return super().second_vjp(call, logits, former, upstream)
        kept = self.differentiate(call, logits, former)[1]
        return (kept.astype(np.float64) * (second / first)).astype(kept.dtype)


class SavedIsFreed(Kernel):
    """What was saved is given back after the first backward pass, and zeros stand there: no error, no gradient."""

    def second_vjp(self, call: Any, logits: Any, former: Any, upstream: Any) -> Any:
        return np.zeros_like(super().second_vjp(call, logits, former, upstream))


class NllGradientScatteredTwice(Kernel):
    """nll_loss scatters its gradient into zeros that are made once: the second pass adds to the first."""

    def second_vjp(self, call: Any, logits: Any, former: Any, upstream: Any) -> Any:
        added = call.operation == "nll_loss"
        return super().second_vjp(call, logits, former, former + upstream if added else upstream)


class WideRowsInPlace(Kernel):
    """Rows of more than 1,024 classes are worked on in place: their second backward pass has nothing to start from."""

    def second_vjp(self, call: Any, logits: Any, former: Any, upstream: Any) -> Any:
        wide = max(logits.shape, default=0) > 1024
        return super().second_vjp(call, logits, former, former if wide else upstream)


class SoftmaxInPlaceOfItsResult(Kernel):
    """softmax's backward pass works in its saved result: from the second pass on it is the first one's gradient."""

    def second_vjp(self, call: Any, logits: Any, former: Any, upstream: Any) -> Any:
        if call.operation != "softmax":
            return super().second_vjp(call, logits, former, upstream)
        return (self.differentiate(call, logits, former)[1] * upstream).astype(logits.dtype)

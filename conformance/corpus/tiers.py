"""Which generated cases are of the tier full: they find little that others do not, and each is compiled anew."""

from __future__ import annotations

__all__ = ["is_spared"]

_SPARED = """
combined.composed.single.default.confident.sliced
combined.composed.unbatched.shifted
combined.composed.wide.confident.sliced
combined.composed.wide.default.shifted.strided
combined.labels.batch.default.smoothed.confident.sliced
combined.labels.batch.uniform.confident.sliced
combined.labels.classes-first.default.smoothed.sliced
combined.labels.classes-last.default.smoothed.strided
combined.labels.segmentation.default.smoothed.confident.sliced
combined.labels.single.default.uniform.confident.sliced
combined.labels.square.strided
combined.labels.wide.default.uniform
combined.nll.segmentation.confident
combined.nll.single.confident
combined.nll.square.default.shifted.sliced
combined.nll.unbatched.default.confident
combined.nll.wide.shifted
combined.one-hot.classes-first.smoothed.confident.sliced
combined.one-hot.classes-last.smoothed.shifted.sliced
combined.one-hot.single.uniform.strided
combined.one-hot.wide.smoothed
combined.soft.classes-last.confident
combined.soft.segmentation.uniform.confident.sliced
combined.unnormalised.batch.smoothed.shifted
combined.unnormalised.unbatched.uniform.shifted.sliced
combined.unnormalised.wide.uniform.sliced
special.direction.huge.other.bfloat16
special.direction.minus-zero.other.smoothed.sum.bfloat16
special.direction.smallest-normal.probability-0.smoothed.mean.float64
special.direction.subnormal.other.smoothed.mean.float16
special.direction.subnormal.upstream-0.smoothed.bfloat16
"""
#: Of these all are,
_ARRAYS = ("transformed.", "typed.", "along.", "threads.", "derived.")
#: but for these.
_ASKED = """
along.composed.rank-4.axis-minus-2.default.last-class
along.composed.rank-5.axis-4.float16.default.last-class
along.log-softmax.rank-3.no-axis.bfloat16.transposed
along.softmax.rank-4.axis-minus-3.bfloat16.transposed
derived.composed.as-it-is
derived.composed.same-but-for-ignored
derived.log-softmax.rank-8
derived.nll.pixels
derived.soft.as-it-is
derived.soft.few.forward-mode.concurrent
derived.soft.few.second-backward.concurrent
derived.soft.few.second-order.concurrent
derived.soft.few.target-gradient.concurrent
derived.soft.in-memory
derived.soft.same-but-for-logits
derived.soft.same-but-for-smoothing
derived.soft.same-but-for-targets
derived.soft.same-but-for-weight
threads.composed.tokens.float64.mean.zero-weight.last-class.concurrent
threads.float64.mean.default.tenth.concurrent
threads.soft.float16.mean.concurrent
transformed.composed.even.float64.mean.default.transposed.shifted.second-order.direction-zero-ended
transformed.even.bfloat16.mean.tenth.sliced.second-backward
transformed.nll.bfloat16.weighted.transposed.shifted.second-backward
transformed.nll.float64.mean.zero-weight.last-class.sliced.forward-mode.direction-constant
transformed.nll.image.float16.mean.default.tangent-transposed.forward-mode.direction-constant
transformed.nll.wide.bfloat16.weighted.sliced.shifted.vectorised-map
transformed.nll.wide.float64.mean.weighted.transposed.forward-mode
transformed.softmax.wide.float64.transposed.second-order
typed.log-softmax.large.bfloat16.upstream-transposed
typed.nll.large.float16.weighted.last-class.zero-ended.sliced.shifted
typed.nll.long.bfloat16.weighted.last-class.ones.padded.shifted
typed.one-hot.large.float64.mean.targets-transposed.shifted
typed.one-hot.long.bfloat16.weighted.tenth.zero-ended.transposed
typed.unnormalised.float64.transposed.shifted
"""


def is_spared(name: str) -> bool:
    """Whether the case of that id is of the tier full."""
    return name in _SPARED.split() or (name.startswith(_ARRAYS) and name not in _ASKED.split())

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
_ARRAYS = ("transformed.", "typed.", "along.", "threads.")
#: but for these.
_ASKED = """
transformed.composed.even.float64.mean.default.transposed.shifted.second-order.direction-zero-ended
transformed.even.bfloat16.mean.tenth.sliced.second-backward
transformed.nll.bfloat16.weighted.transposed.shifted.second-backward
transformed.nll.float64.mean.zero-weight.last-class.sliced.forward-mode.direction-constant
transformed.nll.image.float16.mean.default.tangent-transposed.forward-mode.direction-constant
transformed.nll.wide.bfloat16.weighted.sliced.shifted.vectorised-map
transformed.nll.wide.float64.mean.weighted.transposed.forward-mode
transformed.softmax.wide.float64.transposed.second-order
"""


def is_spared(name: str) -> bool:
    """Whether the case of that id is of the tier full."""
    return name in _SPARED.split() or (name.startswith(_ARRAYS) and name not in _ASKED.split())

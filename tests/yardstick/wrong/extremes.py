"""Special values in weights and upstream gradients that are taken for absent, or made ordinary."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Kernel


class NegativeZeroUpstreamIsAbsent(Kernel):
    """An upstream gradient of -0 counts as none, and none as 1."""

    def scale(self, ask: Ask, upstream: Any) -> Any:
        absent = (upstream == 0) & np.signbit(upstream)
        return super().scale(ask, np.where(absent, 1, upstream).astype(upstream.dtype))


class NegativeZeroWeightIsAbsent(Kernel):
    """A weight of -0 counts as none, and none as 1."""

    def weights(self, ask: Ask) -> Any:
        found = super().weights(ask)
        return np.where((found == 0) & np.signbit(found), 1, found).astype(found.dtype)


class LargeUpstreamClamped(Kernel):
    """Upstream gradients are clamped to +-2^100 (gradient clipping inside the kernel)."""

    def scale(self, ask: Ask, upstream: Any) -> Any:
        return super().scale(ask, np.clip(upstream, -(2.0**100), 2.0**100).astype(upstream.dtype))


class NanUpstreamIsZero(Kernel):
    """An upstream gradient that is NaN counts as 0."""

    def scale(self, ask: Ask, upstream: Any) -> Any:
        return super().scale(ask, np.where(np.isnan(upstream), 0, upstream).astype(upstream.dtype))


class NanProbabilityIsZero(Kernel):
    """A class probability that is NaN counts as 0."""

    def coefficients(self, ask: Ask) -> Any:
        found = super().coefficients(ask)
        return found if ask.by_index else np.where(np.isnan(found), 0, found).astype(found.dtype)

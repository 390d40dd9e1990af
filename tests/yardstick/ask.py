"""What a loss is asked for: the arguments as given, and as read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Ask", "Given"]


@dataclass(frozen=True)
class Given:
    """The arguments of a loss before anything is checked; ``indices`` is set for nll_loss, which takes no other
    targets.
    """

    logits: Any
    targets: Any
    weight: Any
    axis: int | None
    ignore_index: int | None
    label_smoothing: float | None
    reduction: str | None
    indices: bool


@dataclass(frozen=True)
class Ask:
    """What a loss is asked for.

    ``x`` logits (P, C); ``labels`` (P,) as given, or ``probabilities`` (P, C); ``valid`` (P,) are the positions not
    ignored; ``weight`` (C,); ``reduction`` is none, sum or mean; ``shape`` is the positions' own.
    """

    x: Any
    labels: Any
    probabilities: Any
    valid: Any
    weight: Any
    smoothing: float
    ignore_index: int
    reduction: str
    shape: tuple[int, ...]

    @property
    def by_index(self) -> bool:
        return self.probabilities is None

    @property
    def classes(self) -> int:
        return int(self.x.shape[1])

    @property
    def index(self) -> Any:
        """The class of each position, (P,), 0 where it is ignored."""
        return np.where(self.valid, self.labels, 0).astype(np.intp)

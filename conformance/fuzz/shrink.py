"""Makes a failing case small: fewer options, positions and classes, simpler numbers, as long as it fails in one way.

Every attempt is judged like any other case. Greedy, and bounded by a number of attempts, so that the same failure
shrinks to the same case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from conformance.cases.checks import NORMALISERS, SMOOTHED
from conformance.fuzz.draft import Draft

__all__ = ["Shrinker"]

#: Rows or classes that are tried one by one.
FEW = 24

_PLAINER: tuple[dict[str, Any], ...] = (
    {"layouts": ["contiguous"]},
    {"label_smoothing": None},
    {"target_dtype": None},
    {"requires": None},
    {"policy": None},
)


@dataclass(eq=False)
class Shrinker:
    """Makes drafts smaller with at most ``attempts`` calls of ``fails``, which says whether a draft still fails so."""

    fails: Callable[[Draft], bool]
    attempts: int

    def shrunk(self, draft: Draft) -> Draft:
        """The smallest that was found."""
        for passes in (
            self._plainer,
            self._flat,
            self._fewer,
            self._simpler,
            self._plainer,
            self._fewer,
            self._simpler,
        ):
            draft = passes(draft)
            if self.attempts <= 0:
                break
        return draft

    def _try(self, draft: Draft, other: Draft | None) -> Draft:
        """The other one, if it fails too."""
        if other is None or self.attempts <= 0:
            return draft
        self.attempts -= 1
        return other if self.fails(other) else draft

    # -- options ------------------------------------------------------------------------------------------------------

    def _plainer(self, draft: Draft) -> Draft:
        for keys in _PLAINER:
            if any(draft.keys.get(name) != value for name, value in keys.items()):
                draft = self._try(draft, draft.with_keys(**keys))
        for dtype in ("float32", "float64"):
            if draft.keys["dtypes"] != ["float32"]:
                draft = self._try(draft, draft.with_keys(dtypes=[dtype]))
        if draft.source.op in SMOOTHED and not draft.by_label and _like(draft.targets, draft.logits):
            draft = self._try(draft, _labelled(draft))
        for name in ("weight", "where", "upstream", "tangent"):
            if getattr(draft, name) is not None:
                draft = self._try(draft, replace(draft, **dict[str, Any]({name: None})))
        if "ignore_index" in draft.keys or draft.by_label:
            draft = self._try(draft, _nothing_ignored(draft))
        if draft.keys.get("transforms"):
            draft = self._try(draft, draft.with_keys(transforms=None))
        for reduction in ("none", "sum", "mean"):
            if draft.keys.get("reductions", ["none"]) not in (["none"], ["sum"], [reduction]):
                draft = self._try(draft, _reduced_by(draft, reduction))
        if draft.keys.get("axis") == "default":
            draft = self._try(draft, draft.with_keys(axis=None))
        return draft

    # -- shape --------------------------------------------------------------------------------------------------------

    def _flat(self, draft: Draft) -> Draft:
        """All positions on one axis, and the classes last."""
        if (draft.logits.ndim, draft.place) == (2, 1) and "axis" not in draft.keys:
            return draft
        return self._try(draft, _flattened(draft))

    def _fewer(self, draft: Draft) -> Draft:
        for rows in (True, False):
            draft = self._cut(draft, rows)
            count = draft.count if rows else draft.classes
            for place in reversed(range(count if count <= FEW else 0)):
                if _length(draft, rows) <= (1 if rows else 2):
                    break
                draft = self._try(draft, _without(draft, np.arange(_length(draft, rows)) != place, rows))
        return draft

    def _cut(self, draft: Draft, rows: bool) -> Draft:
        """As few as still fail, from the first on and then from the last on, by bisection."""
        if draft.logits.ndim != 2 or draft.place != 1:
            return draft
        for front in (True, False):
            # So many do not fail, as far as we know, and so many do. A single class is a case of its own.
            low, high = 0 if rows else 1, _length(draft, rows)
            while high - low > 1 and self.attempts > 0:
                middle = (low + high) // 2
                kept = np.arange(high) < middle if front else np.arange(high) >= high - middle
                smaller = self._try(draft, _without(draft, kept, rows))
                if smaller is draft:
                    low = middle
                else:
                    draft, high = smaller, middle
        return draft

    # -- numbers ------------------------------------------------------------------------------------------------------

    def _simpler(self, draft: Draft) -> Draft:
        for name in ("logits", "weight", "upstream", "tangent", "targets"):
            for values in _simpler_numbers(getattr(draft, name)):
                simpler = self._try(draft, replace(draft, **{name: values}))
                if simpler is not draft:
                    draft = simpler
                    break
        return self._zeroed(draft)

    def _zeroed(self, draft: Draft) -> Draft:
        """Logits set to 0, half of them at a time, then a quarter, then one by one where they are few."""
        size = draft.logits.size
        step = size // 2
        while step and (step >= size // 8 or size <= FEW):
            for start in range(0, size, step):
                flat = draft.logits.reshape(-1)
                if flat[start : start + step].any():
                    changed = flat.copy()
                    changed[start : start + step] = 0.0
                    draft = self._try(draft, replace(draft, logits=changed.reshape(draft.logits.shape)))
            step //= 2
        return draft


def _length(draft: Draft, rows: bool) -> int:
    return draft.count if rows else draft.classes


def _simpler_numbers(values: Any) -> Iterator[Any]:
    """The same array with simpler numbers, the simplest first."""
    if not isinstance(values, np.ndarray) or not values.size:
        return
    finite = np.isfinite(values)
    if not values.any() and finite.all():
        return
    yield np.zeros_like(values)
    if values.dtype.kind in "iu":
        return
    if values.tobytes() == np.ones_like(values).tobytes():
        return
    yield np.ones_like(values)
    if not finite.all():
        yield np.where(finite, 0.0, values)
    most = values.reshape(-1)[np.argmax(np.where(finite, np.abs(values), -1.0))]
    yield np.where(values == most, most, 0.0)
    for limit in (1.0, 10.0, 100.0, 1000.0):
        if np.abs(np.where(finite, values, 0.0)).max() > limit:
            yield np.where(finite, np.clip(values, -limit, limit), values)
    for digits in (0, 1, 3):
        rounded = np.round(values, digits)
        if rounded.tobytes() != values.tobytes():
            yield rounded


def _nothing_ignored(draft: Draft) -> Draft:
    ignored = draft.keys.get("ignore_index", -100)
    targets = draft.targets
    if draft.by_label:
        targets = np.where(targets == ignored, 0, targets)
        if "ignore_index" not in draft.keys and targets.tobytes() == draft.targets.tobytes():
            return draft
    return replace(draft.with_keys(ignore_index=None, requires=None), targets=targets)


def _like(values: Any, logits: Any) -> bool:
    return isinstance(values, np.ndarray) and values.shape == logits.shape and bool(values.size)


def _labelled(draft: Draft) -> Draft:
    """With the likeliest class of each position as its label."""
    labels = np.argmax(draft.targets, axis=draft.place).astype(np.int64)
    return replace(draft.with_keys(targets_as="indices"), targets=labels)


def _reduced_by(draft: Draft, reduction: str) -> Draft:
    return replace(draft.with_keys(reductions=[reduction]), upstream=None)


def _flattened(draft: Draft) -> Draft | None:
    """Logits (positions, classes); None where an operand does not go along."""
    shape, place, classes = draft.logits.shape, draft.place, draft.classes

    def rows(values: Any) -> Any:
        if values is None:
            return None
        if values.shape == shape:
            return np.ascontiguousarray(np.moveaxis(values, place, -1).reshape(draft.count, classes))
        return values.reshape(-1) if values.ndim else values

    if draft.source.op not in NORMALISERS and not isinstance(draft.targets, np.ndarray):
        return None
    found = {name: rows(getattr(draft, name)) for name in ("logits", "targets", "where", "upstream", "tangent")}
    return replace(draft.with_keys(axis=None), place=1, **found)


def _without(draft: Draft, kept: Any, rows: bool) -> Draft | None:
    """Only some rows, or only some classes, of logits (positions, classes); None where that cannot be."""
    if draft.logits.ndim != 2 or draft.place != 1 or not kept.any():
        return None
    shape = draft.logits.shape

    def part(values: Any) -> Any:
        if values is None:
            return None
        if values.shape == shape:
            return np.ascontiguousarray(values[kept] if rows else values[:, kept])
        if rows and values.ndim == 1 and len(values) == shape[0]:
            return values[kept]
        return values

    found = {name: part(getattr(draft, name)) for name in ("logits", "where", "upstream", "tangent")}
    targets = part(draft.targets) if isinstance(draft.targets, np.ndarray) else draft.targets
    weight = draft.weight
    if not rows:
        weight = None if weight is None else _other_weights(weight, kept)
        if draft.by_label:
            targets = _other_labels(draft, kept)
    return replace(draft, targets=targets, weight=weight, **found)


def _other_weights(weight: Any, kept: Any) -> Any:
    """Weights of the classes that are left; of a wrong number of them, as many too many or too few."""
    return weight[kept] if len(weight) == len(kept) else weight[: max(0, int(kept.sum()) + len(weight) - len(kept))]


def _other_labels(draft: Draft, kept: Any) -> Any:
    """Labels of the classes that are left; of one that is gone, the last. Labels out of range stay out of range."""
    classes, left = len(kept), int(kept.sum())
    ignored = draft.keys.get("ignore_index", -100)
    numbers = np.minimum(np.cumsum(kept) - 1, left - 1).clip(0)
    inside = (draft.targets >= 0) & (draft.targets < classes) & (draft.targets != ignored)
    moved = numbers[np.where(inside, draft.targets, 0)]
    beyond = draft.targets >= classes
    return np.where(inside, moved, np.where(beyond, draft.targets - (classes - left), draft.targets))

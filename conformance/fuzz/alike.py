"""A call, and others that differ from it in one operand or option alone: what is kept of one is not the others'."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import numpy as np

from conformance.corpus.dice import Dice
from conformance.corpus.extents import extents_of
from conformance.corpus.recipe import Recipe
from conformance.corpus.settle import settled
from conformance.corpus.space import FAMILY, Levels, drawn
from conformance.model.case import Case, Generator, Numbers

__all__ = ["but_for_one", "small_case"]

#: What does not depend on the id of a case, so that it is the same in all of them.
_UPSTREAMS = ("constant", "one-hot", "zero-ended", "alternating")
_FULL = ("constant", "alternating")
_TANGENTS = ("one-hot", "alternating", "zero-ended")
_OPERANDS = ("logits", "log_probabilities", "probabilities", "targets", "weight", "upstream", "tangent")
#: Weights that are a row of the logits, which one operand alone cannot cease to be; logits without an axis.
_NOT_SO = ("of-logits", "scalar")
_SMOOTHING = 0.25
_SOFT = 0.4  # the share of calls with class probabilities


def small_case(dice: Dice, weights: Mapping[str, Mapping[str, float]], prefix: str) -> Case:
    """A valid call on few positions of few classes under all derivatives that it has; its id begins with ``prefix``."""
    weights = {factor: {k: v for k, v in levels.items() if k not in _NOT_SO} for factor, levels in weights.items()}
    few: Levels = drawn(dice, None, weights) | {"classes": "few", "positions": "few"}
    extents, family = extents_of({name: few[name] for name in FAMILY}, dice)
    soft = dice.chance(_SOFT)
    fixed = family | {
        "invalid": "nothing",
        "mask": "none",
        "axis": "stated",
        "layout": "contiguous",  # some are of operands that share memory, of which one alone cannot be another
        "upstream": dice.one_of(_FULL if soft else _UPSTREAMS),
        "tangent": dice.one_of(_TANGENTS),
        "transforms": "target-gradient" if soft else "second-order",  # which rule out most of what is for nobody to say
        **({"targets": "soft"} if soft else {}),
    }
    recipe = Recipe(levels=settled(drawn(dice, fixed, weights), extents), extents=extents, seed=dice.seed())
    case = recipe.case(f"{prefix}{recipe.name}")
    curved = case.op not in ("nll_loss", "log_loss")
    by_target = "target-gradient" in case.transforms
    transforms = ("forward-mode", *["second-order"] * curved, "second-backward", *["target-gradient"] * by_target)
    return msgspec.structs.replace(case, transforms=transforms)


def but_for_one(case: Case) -> Iterator[Case]:
    """Cases that differ from ``case`` in one operand or option; each has an id of its own."""
    for name in _OPERANDS:
        given = getattr(case, name)
        if given is not None and (other := _other(given)) is not None:
            yield _named(case, name, **{name: other})
    if case.targets_as == "indices" and isinstance(case.targets, list):
        labels = np.unique(np.asarray(case.targets))
        for label in [int(each) for each in labels if each != case.ignore_index][:1]:
            yield _named(case, "ignore-index", ignore_index=label)
    if case.op == "cross_entropy":
        yield _named(case, "smoothing", label_smoothing=None if case.label_smoothing == _SMOOTHING else _SMOOTHING)


def _named(case: Case, what: str, **changes: Any) -> Case:
    return msgspec.structs.replace(case, id=f"{case.id}.but-for-{what.replace('_', '-')}", **changes)


def _other(given: Generator | Numbers) -> Generator | Numbers | None:
    """Other numbers of the same kind; None where there are none."""
    if isinstance(given, Generator):
        if given.seed is not None:
            return msgspec.structs.replace(given, seed=given.seed ^ 1)
        if given.distribution == "labels":
            return None
        return msgspec.structs.replace(given, offset=(given.offset or 0.0) + 0.5)
    numbers = np.asarray(given)
    moved = np.roll(numbers.reshape(-1), 1).reshape(numbers.shape)
    if numbers.dtype.kind == "O" or np.array_equal(moved, numbers):
        return None
    return list(moved.tolist())

"""A recipe, and the case that it stands for: the same case for the same recipe, on every machine."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast, get_args

import msgspec
import numpy as np

from conformance.cases.checks import NORMALISERS
from conformance.cases.literals import MOST_RANK
from conformance.cases.tensors import materialise
from conformance.corpus.dice import Dice
from conformance.corpus.operands import Tensors
from conformance.corpus.settle import OF_EQUALS, classes_of, operand_shapes
from conformance.corpus.space import FORMS, Levels
from conformance.model.case import INPUTS, NO_REDUCTIONS, REDUCTIONS, Case, Generator, IntegerName, OperationName
from conformance.model.layouts import BETWEEN, FAR_APART, LAYOUTS, OPERANDS
from conformance.worker.layouts import fits

__all__ = ["Recipe"]

_WHY = "a random case"
_SMOOTHING = {"zero": 0.0, "tenth": 0.1, "half": 0.5, "one": 1.0, "tiny": 1e-6, "near-one": 0.999}
_IGNORED = {"default": -100, "minus-one": -1, "outside": 255, "unused": -7, "far": 2**32 + 1}
#: What is wrong where an error is due whatever the policies say.
_REFUSED = {
    "axis": "there is no such axis",
    "weight-length": "weights for another number of classes",
    "smoothing": "label smoothing beyond 0 to 1",
    "reduction": "no reduction has that name",
    "integer-logits": "logits of integers",
    "targets-shape": "targets for other positions",
    "one-target": "targets of extent 1 for several positions",
    "float-labels": "labels that are not integers",
    "python-targets": "targets that are not a tensor",
    "ignored-probabilities": "an ignored label beside class probabilities",
    "upstream-shape": "an upstream gradient of another shape than the value",
}
#: The policies that a level is about; a pair of levels where it takes both.
_POLICIES: tuple[tuple[dict[str, str], tuple[str, ...]], ...] = (
    ({"axis": "default"}, ("default-axis",)),
    ({"reductions": "default"}, ("default-reduction",)),
    ({"ignored": "default"}, ("default-ignore-index",)),
    ({"ignored-share": "all"}, ("mean-of-all-ignored", "gradient-of-all-ignored")),
    ({"positions": "no"}, ("mean-of-empty-batch",)),
    ({"classes": "no"}, ("class-extent-0",)),
    ({"form": "scalar"}, ("rank-0-logits",)),
    ({"targets": "unnormalised"}, ("unnormalised-probabilities",)),
    ({"special": "inf"}, ("plus-infinity",)),
    ({"special": "-inf", "place": "row"}, ("all-minus-infinity",)),
    ({"special": "subnormal"}, ("subnormal-results",)),
    ({"mask": "some", "op": "cross_entropy"}, ("masked-target",)),
    ({"invalid": "integer-logits"}, ("integer-logits",)),
    ({"invalid": "one-target"}, ("target-broadcasting",)),
    ({"invalid": "float-labels"}, ("target-dtypes",)),
    ({"invalid": "ignored-probabilities"}, ("ignore-index-with-probabilities",)),
    ({"invalid": "label-above"}, ("label-out-of-range", "gradient-of-bad-label")),
    ({"invalid": "label-below"}, ("label-out-of-range", "gradient-of-bad-label")),
    ({"reductions": "mean", "targets": "labels", "weight": "any"}, ("mean-denominator",)),
    ({"reductions": "mean", "targets": "soft", "weight": "any"}, ("weighted-probability-mean",)),
    ({"smoothing": "tenth", "weight": "any"}, ("label-smoothing-weights", "label-smoothing-mass")),
    ({"transforms": "target-gradient"}, ("target-differentiation",)),
)
#: The policies of operations without targets.
_OF_NORMALISERS = (
    *("default-axis", "class-extent-0", "rank-0-logits", "plus-infinity", "all-minus-infinity", "subnormal-results"),
    "integer-logits",
)
#: Those that say nothing of probabilities that are given.
_OF_LOGITS = ("plus-infinity", "all-minus-infinity", "unnormalised-probabilities", "masked-target")
_FAR = (2**31, 2**32, 2**32 + 1, -(2**31) - 1, -(2**32))


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """The levels of a case, settled; the shape of its logits; and the seed of all that is drawn beyond these."""

    levels: Levels
    extents: tuple[int, ...]
    seed: int

    @property
    def name(self) -> str:
        """Twelve hexadecimal digits that identify a recipe."""
        text = f"{sorted(self.levels.items())}/{self.extents}/{self.seed}"
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def case(self, name: str) -> Case:
        """The case, with the id ``name``."""
        keys = _Keys(self.levels, self.extents, self.seed).keys()
        return msgspec.convert({"id": name, "why": _WHY, **keys}, Case)


@dataclass(frozen=True)
class _Keys:
    """Makes the keys of a case."""

    levels: Mapping[str, str]
    extents: tuple[int, ...]
    seed: int

    @property
    def place(self) -> int:
        return FORMS[self.levels["form"]].place

    @property
    def classes(self) -> int:
        return classes_of(self.extents, self.place)

    @property
    def positions(self) -> tuple[int, ...]:
        return self.extents[: self.place] + self.extents[self.place + 1 :]

    @property
    def op(self) -> OperationName:
        return cast("OperationName", self.levels["op"])

    @property
    def is_loss(self) -> bool:
        return self.op not in NORMALISERS

    @cached_property
    def tensors(self) -> Tensors:
        return Tensors(self.extents, self.place, self.levels["dtype"], self.labels)  # type: ignore[arg-type]

    def dice(self, what: str) -> Dice:
        """Choices of one part, which do not depend on those of another."""
        return Dice(self.seed, what)

    def keys(self) -> dict[str, Any]:
        levels, tensors = self.levels, self.tensors
        found: dict[str, Any] = {"op": self.op, "dtypes": [levels["dtype"]]}
        found["layouts"] = [self.layout()]
        found[INPUTS.get(self.op, "logits")] = self.logits
        if self.is_loss:
            found |= self.targets()
            found |= self.options()
        found |= self.axis()
        found |= self.derivatives()
        if levels["mask"] != "none":
            found["where"] = tensors.mask(levels["mask"], self.dice("mask"))
        if levels["invalid"] != "nothing":
            found |= self.invalid()
        if policies := self.policies():
            found["policy"] = policies
        return {
            name: msgspec.to_builtins(each) if isinstance(each, Generator) else each for name, each in found.items()
        }

    @cached_property
    def logits(self) -> Generator:
        tensors = self.tensors
        return (tensors.predictions if self.op == "log_loss" else tensors.logits)(self.levels, self.dice("logits"))

    def layout(self) -> str:
        """One word for all operands, or a layout for each of one or two."""
        laid_out, layout = self.levels["laid-out"], self.levels["layout"]
        if laid_out == "all":
            return layout
        if laid_out != "two":
            return f"{laid_out}={layout}"
        shapes, dice = operand_shapes(self.levels, self.extents), self.dice("layout")
        other = dice.one_of([name for name, each in shapes.items() if name != "logits" and math.prod(each) > 1])
        without = (
            *OF_EQUALS,
            *BETWEEN,
            FAR_APART,
            *(["byte-swapped"] if self.levels["dtype"] == "bfloat16" else []),
        )
        fitting = [name for name in LAYOUTS if name not in without and fits(name, np.zeros(shapes[other], np.int8))]
        both = {"logits": layout, other: dice.one_of(fitting)}
        return "+".join(f"{name}={both[name]}" for name in OPERANDS if name in both)

    def policies(self) -> list[str]:
        """The policies that the case observes, if it is to observe any."""
        # Beside another special value, or something else that is wrong, a result says little of a policy.
        if self.levels["policy"] == "unasked" or "nan" in map(self.levels.get, ("weight", "targets", "upstream")):
            return []
        if self.levels["classes"] == "no" and self.levels["ignored"] != "none":  # the result is left open
            return []
        others = {"invalid": "nothing", "special": "none"}
        return [
            name
            for needed, names in _POLICIES
            if (others | needed).items() <= self.levels.items()
            for name in names
            if (self.is_loss or name in _OF_NORMALISERS) and not (self.op == "log_loss" and name in _OF_LOGITS)
        ]

    # -- labels and options -------------------------------------------------------------------------------------------

    @cached_property
    def ignore_index(self) -> int | None:
        level = self.levels["ignored"]
        if level == "none":
            return None
        return {"first-class": 0, "last-class": self.classes - 1, **_IGNORED}[level]

    @cached_property
    def labels(self) -> Any:
        """Labels with the ignored ones among them, as int64; None where the targets are not labels."""
        if not self.is_loss or self.levels["targets"] != "labels":
            return None
        dice, level = self.dice("labels"), self.levels["labels"]
        drawing = Generator(distribution="labels", seed=dice.seed(), classes=self.classes)
        labels = materialise(drawing, shape=self.positions).astype(np.int64)
        if level != "any":
            labels[...] = {"first": 0, "last": self.classes - 1, "same": dice.below(self.classes)}[level]
        ignored = self.ignore_index
        if ignored is not None and self.levels["ignored"] != "unused":
            labels.reshape(-1)[self._ignored(labels.size, dice)] = ignored
        elif ignored is not None:
            labels[labels == ignored] = 0
        return labels

    def _ignored(self, size: int, dice: Dice) -> Any:
        """Which positions are ignored."""
        share, places = self.levels["ignored-share"], np.arange(size)
        if not size:
            return places >= 0
        cut = dice.between(1, max(1, size - 1)) if size > 1 else dice.below(2)
        if share == "one":
            return places == dice.below(size)
        if share == "all":
            return places >= 0
        if share in ("head", "tail"):
            return places < cut if share == "head" else places >= size - cut
        step, start = dice.between(2, 5), dice.below(5)
        return (places % step != start % step) if share == "most" else (places % step == start % step)

    def targets(self) -> dict[str, Any]:
        if self.labels is None:
            stated = {"targets_as": "probabilities"} if self.levels["targets"] in ("sparse", "nearly-one-hot") else {}
            return {"targets": self.tensors.probabilities(self.levels["targets"], self.dice("targets")), **stated}
        written: Any = self.labels.tolist()
        if not self.labels.size:  # lists of nothing have no shape
            written = Generator(distribution="labels", shape=[*self.positions], classes=max(self.classes, 1))
        keys: dict[str, Any] = {"targets": written, "targets_as": "indices"}
        if self.levels["target-dtype"] != "int64":
            keys["target_dtype"] = self.levels["target-dtype"]
        return keys

    def options(self) -> dict[str, Any]:
        levels, keys = self.levels, dict[str, Any]()
        wanted = levels["reductions"]
        keys["reductions"] = list(REDUCTIONS) if wanted == "all" else [wanted]
        if levels["weight"] == "of-logits":
            keys["weight"] = materialise(self.logits, class_axis=self.place).reshape(-1, self.classes)[0].tolist()
        elif levels["weight"] != "none":
            keys["weight"] = self.tensors.weight(levels["weight"], self.dice("weight"))
        if self.ignore_index is not None and levels["ignored"] != "default":
            keys["ignore_index"] = self.ignore_index
        if levels["ignored"] == "default":
            keys["requires"] = ["ignore-index"]
        if levels["smoothing"] != "none":
            keys["label_smoothing"] = _SMOOTHING[levels["smoothing"]]
        return keys

    def axis(self) -> dict[str, Any]:
        level, usual = self.levels["axis"], 1 if len(self.extents) > 1 else 0
        if level == "default":
            return {"axis": "default"}
        if level == "negative":
            return {"axis": self.place - max(len(self.extents), 1)}
        return {} if self.place == usual else {"axis": self.place}

    # -- gradients ----------------------------------------------------------------------------------------------------

    def derivatives(self) -> dict[str, Any]:
        levels, keys = self.levels, dict[str, Any]()
        shape = operand_shapes(levels, self.extents)["upstream"]
        upstream = self.tensors.structured(levels["upstream"], shape, self.dice("upstream"))
        if upstream is not None:
            keys["upstream"] = upstream
        if levels["transforms"] == "several":
            keys["transforms"] = ["forward-mode", "second-order"]
        elif levels["transforms"] != "none":
            keys["transforms"] = [levels["transforms"]]
        tangent = self.tensors.structured(levels["tangent"], self.extents, self.dice("tangent"))
        if tangent is not None:
            keys["tangent"] = tangent
        return keys

    # -- what must be refused -----------------------------------------------------------------------------------------

    def invalid(self) -> dict[str, Any]:
        kind, dice = self.levels["invalid"], self.dice("invalid")
        refused: dict[str, Any] = {"expect": {"error": _REFUSED.get(kind, "")}}
        if kind.startswith("label"):
            wrong = {
                "label-above": self.classes + dice.below(3),
                "label-below": -1 - dice.below(2) * self.classes,
                "label-far": dice.one_of(_FAR),
            }[kind]
            labels = self.labels.copy()
            labels.reshape(-1)[dice.one_of((0, -1, dice.below(labels.size)))] = wrong
            return {"targets": labels.tolist()}  # what comes of it is for the policies to say
        if kind == "axis":
            rank = max(len(self.extents), 1)
            return refused | {"axis": dice.one_of((rank, -rank - 1, rank + 3))}
        if kind == "weight-length":
            number = self.classes
            wrong_shapes = [(number + 1,), (number, 1), *([(number - 1,), (1,)] if number > 1 else [])]
            return refused | {"weight": np.ones(dice.one_of(wrong_shapes)).tolist()}
        if kind == "smoothing":
            return refused | {"label_smoothing": dice.one_of((1.5, -0.1, 1.0000001, 2.0))}
        if kind == "reduction":
            return refused | {"reductions": [dice.one_of(NO_REDUCTIONS)]}
        if kind == "integer-logits":
            return refused | self._integers(dice)
        if kind == "float-labels":
            return refused | {"target_dtype": dice.one_of(("float32", "float64"))}
        if kind == "python-targets":
            names = ["cat"] * max(math.prod(self.positions), 1)
            return refused | {"targets_as": "python", "targets": dice.one_of((self.labels.tolist(), names))}
        if kind == "ignored-probabilities":
            return refused | {"ignore_index": dice.one_of((-100, -1, 1))}
        if kind == "upstream-shape":
            shape = operand_shapes(self.levels, self.extents)["upstream"]
            return refused | {
                "upstream": Generator(distribution="constant", shape=self._other(shape, dice), offset=2.0)
            }
        return refused | self._other_targets(kind, dice)

    def _integers(self, dice: Dice) -> dict[str, Any]:
        """Logits of integers, which are of few classes; truth values are 0 and 1."""
        dtype = dice.one_of(get_args(IntegerName))
        classes = 2 if dtype == "bool" else dice.one_of((2, 5, 12))
        drawing = Generator(distribution="labels", shape=[*self.extents], classes=classes, seed=dice.seed())
        return {INPUTS.get(self.op, "logits"): drawing, "logits_dtype": dtype}

    def _other(self, shape: tuple[int, ...], dice: Dice) -> list[int]:
        """A shape that is not this one, though it may have as many elements."""
        choices = [(1, *shape), (*shape, 1)]
        if shape:
            choices.append((*shape[:-1], shape[-1] + 1))
        if len(shape) > 1:
            choices.append((math.prod(shape),))
        return [*dice.one_of([each for each in choices if len(each) <= MOST_RANK])]

    def _other_targets(self, kind: str, dice: Dice) -> dict[str, Any]:
        """Targets for one position too many, or of extent 1 along an axis that has more."""
        shape = [self.positions[0] + 1, *self.positions[1:]]
        if kind == "one-target":
            axis = dice.one_of([place for place, extent in enumerate(self.positions) if extent > 1])
            shape = [1 if place == axis else extent for place, extent in enumerate(self.positions)]
        if self.labels is None:
            wide = [*shape[: self.place], self.classes, *shape[self.place :]]
            return {"targets": Generator(distribution="simplex", shape=wide, seed=dice.seed())}
        return {"targets": np.zeros(shape, np.int64).tolist()}

"""A recipe, and the case that it stands for: the same case for the same recipe, on every machine."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec
import numpy as np

from conformance.cases.checks import NORMALISERS
from conformance.cases.tensors import materialise
from conformance.corpus.dice import Dice
from conformance.corpus.operands import Tensors
from conformance.corpus.space import FORMS, Levels
from conformance.model.case import NO_REDUCTIONS, REDUCTIONS, Case, Generator

__all__ = ["Recipe"]

_WHY = "a random case"
_SMOOTHING = {"zero": 0.0, "tenth": 0.1, "half": 0.5, "one": 1.0, "tiny": 1e-6, "near-one": 0.999}
_IGNORED = {"default": -100, "minus-one": -1, "outside": 255, "unused": -7}
#: What is wrong where an error is due whatever the policies say.
_REFUSED = {
    "axis": "there is no such axis",
    "weight-length": "weights for another number of classes",
    "smoothing": "label smoothing beyond 0 to 1",
    "reduction": "no reduction has that name",
    "integer-logits": "logits of integers",
    "targets-shape": "targets for other positions",
}
_FAR = (2**31, 2**32, 2**32 + 1, -(2**31) - 1, -(2**32))


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """The levels of a case, settled; the shape of its logits; and the seed of all that is drawn beyond these."""

    levels: Levels
    extents: tuple[int, ...]
    seed: int

    @property
    def name(self) -> str:
        """Twelve hexadecimal digits by which recipes are told apart."""
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
        return self.extents[self.place]

    @property
    def positions(self) -> tuple[int, ...]:
        return self.extents[: self.place] + self.extents[self.place + 1 :]

    @property
    def op(self) -> str:
        return self.levels["op"]

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
        laid_out, layout = levels["laid-out"], levels["layout"]
        found["layouts"] = [layout if laid_out == "all" else f"{laid_out}={layout}"]
        main = "log_probabilities" if self.op == "nll_loss" else "logits"
        logits = tensors.logits(levels, self.dice("logits"))
        found[main] = logits
        if self.is_loss:
            found |= self.targets()
            found |= self.options()
        found |= self.axis()
        found |= self.derivatives()
        if levels["mask"] != "none":
            found["where"] = tensors.mask(levels["mask"], self.dice("mask"))
        if levels["invalid"] != "nothing":
            found |= self.invalid(found)
        return {
            name: msgspec.to_builtins(each) if isinstance(each, Generator) else each for name, each in found.items()
        }

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
            return {"targets": self.tensors.probabilities(self.levels["targets"], self.dice("targets"))}
        written: Any = self.labels.tolist()
        if not self.labels.size:  # lists of nothing have no shape
            written = Generator(distribution="labels", shape=[*self.positions], classes=self.classes)
        keys: dict[str, Any] = {"targets": written, "targets_as": "indices"}
        if self.levels["target-dtype"] != "int64":
            keys["target_dtype"] = self.levels["target-dtype"]
        return keys

    def options(self) -> dict[str, Any]:
        levels, keys = self.levels, dict[str, Any]()
        wanted = levels["reductions"]
        keys["reductions"] = list(REDUCTIONS) if wanted == "all" else [wanted]
        if levels["weight"] != "none":
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
            return {"axis": self.place - len(self.extents)}
        return {} if self.place == usual else {"axis": self.place}

    # -- gradients ----------------------------------------------------------------------------------------------------

    def derivatives(self) -> dict[str, Any]:
        levels, keys = self.levels, dict[str, Any]()
        shape: tuple[int, ...] = self.extents if not self.is_loss else self.positions
        if self.is_loss and levels["reductions"] not in ("none", "all"):
            shape = ()
        upstream = self.tensors.structured(levels["upstream"], shape, self.dice("upstream"))
        if upstream is not None:
            keys["upstream"] = upstream
        if levels["transforms"] != "none":
            keys["transforms"] = [levels["transforms"]]
        tangent = self.tensors.structured(levels["tangent"], self.extents, self.dice("tangent"))
        if tangent is not None:
            keys["tangent"] = tangent
        return keys

    # -- what must be refused -----------------------------------------------------------------------------------------

    def invalid(self, found: Mapping[str, Any]) -> dict[str, Any]:
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
            rank = len(self.extents)
            return refused | {"axis": dice.one_of((rank, -rank - 1, rank + 3))}
        if kind == "weight-length":
            return refused | {"weight": [1.0] * (self.classes + dice.one_of((1, -1) if self.classes > 1 else (1,)))}
        if kind == "smoothing":
            return refused | {"label_smoothing": dice.one_of((1.5, -0.1, 1.0000001, 2.0))}
        if kind == "reduction":
            return refused | {"reductions": [dice.one_of(NO_REDUCTIONS)]}
        if kind == "integer-logits":
            return refused | {"logits_dtype": dice.one_of(("int32", "int64", "uint8"))}
        extra = [self.positions[0] + 1, *self.positions[1:]]
        size = math.prod(extra)
        return refused | {"targets": np.zeros(size, np.int64).reshape(extra).tolist()}

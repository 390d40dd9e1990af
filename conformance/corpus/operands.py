"""The tensors of random cases: seeded generators, with single numbers planted where something is to stand alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from conformance.cases.tensors import materialise
from conformance.corpus.dice import Dice
from conformance.corpus.settle import MOST_WEIGHTS as MOST
from conformance.corpus.settle import classes_of
from conformance.model.case import Generator
from conformance.numerics.formats import FORMATS, DtypeName

__all__ = ["Tensors"]

_OFFSETS = {
    "none": (0.0,),
    "ten": (10.0, -10.0),
    "hundred": (100.0, -100.0, 89.0),
    "thousand": (1000.0, -1000.0, 710.0),
    "far": (1e4, -1e4, 3e4),
    "million": (1e6, -1e6, 999_900.0, 1e8),
}
#: Positions so far apart that the maximum of one makes nothing of the other.
_APART = (100.0, 800.0, 3e4)
#: Positions that get something planted of their own.
MOST_PLANTED = 64
_BLOCKS = (8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)


@dataclass(frozen=True)
class Tensors:
    """Operands for logits of the shape ``extents``, with classes along ``place``; ``labels`` if there are some."""

    extents: tuple[int, ...]
    place: int
    dtype: DtypeName
    labels: Any = None

    @property
    def classes(self) -> int:
        """C."""
        return classes_of(self.extents, self.place)

    @property
    def count(self) -> int:
        """How many positions there are."""
        return math.prod(self.extents) // max(self.classes, 1)

    def flat(self, position: int, label: int) -> int:
        """Where a class of a position lies in row-major order; positions count in the order of the other axes."""
        inner = math.prod(self.extents[self.place + 1 :])
        return (position // inner * self.classes + label) * inner + position % inner

    # -- logits -------------------------------------------------------------------------------------------------------

    def logits(self, levels: Mapping[str, str], dice: Dice) -> Any:
        """The logits, with what is planted among them."""
        offset = dice.one_of(_OFFSETS[levels["offset"]])
        kind = levels["logits"]
        keys, planted = self._distribution(kind, offset, dice)
        if kind == "spike":
            for position in self._some_positions(dice):
                top = offset + dice.one_of((1.0, 10.0, 30.0, 100.0))
                planted[self.flat(position, self._class(levels["place"], position, dice))] = top
        if kind == "masked-alternating":
            for position in range(min(self.count, MOST_PLANTED)):
                for label in range(1, min(self.classes, 64), 2):
                    planted[self.flat(position, label)] = -math.inf
        self._plant_special(levels, planted, dice)
        return self._generator(keys, planted)

    def predictions(self, levels: Mapping[str, str], dice: Dice) -> Any:
        """Probabilities in place of logits, with what is planted among them."""
        kind, planted, even = levels["logits"], dict[int, float](), 1.0 / max(self.classes, 1)
        keys: dict[str, Any] = {"distribution": "simplex", "seed": dice.seed()}
        if kind in ("equal", "spike", "normalised"):
            keys = {"distribution": "constant", "offset": even}
        elif kind in ("rising", "falling", "uniform"):
            keys = {"distribution": "ramp", "scale": 0.5 if kind != "falling" else -0.5, "offset": 0.5}
        elif kind == "integers":
            keys = {"distribution": "labels", "classes": 2, "seed": dice.seed()}
        elif kind in ("one-hot", "confident", "tiny"):
            rest = {"one-hot": 0.0, "confident": 2.0**-9, "tiny": 2.0**-12}[kind] * min(even, 0.5)
            keys = {"distribution": "one-hot", "scale": 1.0 - rest * self.classes, "offset": rest, "seed": dice.seed()}
        if kind == "spike":
            for position in self._some_positions(dice):
                top = dice.one_of((1e-7, 2.0**-20, 1.0, 1.0 - 2.0**-7))
                planted[self.flat(position, self._class(levels["place"], position, dice))] = top
        self._plant_special(levels, planted, dice)
        return self._generator(keys, planted)

    def _plant_special(self, levels: Mapping[str, str], planted: dict[int, float], dice: Dice) -> None:
        if levels["special"] != "none":
            kinds = _MIXED if levels["special"] == "mixed" else (levels["special"],)
            for position in self._positions(levels["place"], dice):
                number = _special(dice.one_of(kinds), self.dtype)
                for label in self._row(levels["place"], position, dice):
                    planted[self.flat(position, label)] = number

    def _generator(self, keys: Mapping[str, Any], planted: Mapping[int, float]) -> Generator:
        places = sorted(planted.items()) or None
        return Generator(shape=[*self.extents], planted=places, **keys)

    def _distribution(self, kind: str, offset: float, dice: Dice) -> tuple[dict[str, Any], dict[int, float]]:
        seed = dice.seed()
        if kind in ("equal", "spike"):
            return {"distribution": "constant", "offset": offset + dice.one_of((0.0, 0.0, 1.0, -2.0, 0.1))}, {}
        if kind == "normalised":
            return {"distribution": "constant", "offset": -math.log(self.classes)}, {}
        if kind == "integers":
            return {"distribution": "labels", "classes": dice.one_of((2, 5, 12)), "seed": seed}, {}
        if kind == "one-hot":
            return {"distribution": "one-hot", "scale": dice.one_of((1.0, 20.0, 200.0)), "seed": seed}, {}
        if kind == "rows-apart":
            keys = {"distribution": "uniform", "scale": 3.0, "offset": offset, "seed": seed}
            return {**keys, "apart": dice.one_of(_APART)}, {}
        if kind in ("rising", "falling"):
            scale = dice.one_of((2.0, 20.0, 100.0))
            return {"distribution": "ramp", "scale": scale if kind != "falling" else -scale, "offset": offset}, {}
        if kind.startswith("masked") and kind != "masked-alternating":
            return self._masked(kind, offset, seed, dice), {}
        scales = {"confident": (40.0,), "tiny": (1e-3, 1e-5), "uniform": (3.0, 10.0, 100.0)}.get(kind, (0.5, 2.0, 5.0))
        distribution = "uniform" if kind in ("uniform", "tiny") else "normal"
        return {"distribution": distribution, "scale": dice.one_of(scales), "offset": offset, "seed": seed}, {}

    def _masked(self, kind: str, offset: float, seed: int, dice: Dice) -> dict[str, Any]:
        blocks = [each for each in _BLOCKS if each < self.classes] or [1]
        first, beyond = 0, self.classes
        if kind == "masked-first":
            beyond = dice.one_of(blocks)
        elif kind == "masked-last":
            first = dice.one_of(blocks)
        else:
            first = dice.one_of(blocks)
            beyond = min(self.classes - 1, first * 2) if first * 2 > first + 1 else first + 1
            first, beyond = min(first, beyond - 1), beyond
        return {"distribution": "uniform", "scale": 3.0, "offset": offset, "seed": seed, "masked": [first, beyond]}

    def _some_positions(self, dice: Dice) -> list[int]:
        """As many positions as something is planted at, spread over all of them."""
        if self.count <= MOST_PLANTED:
            return [*range(self.count)]
        return sorted({0, self.count - 1, *(dice.below(self.count) for _ in range(MOST_PLANTED - 2))})

    def _positions(self, place: str, dice: Dice) -> list[int]:
        """One position, or a few: the first, the last, behind a block, or any."""
        if place == "first":
            return [0]
        if place == "last":
            return [self.count - 1]
        if place == "each-row":
            return self._some_positions(dice)
        if place == "block":
            blocks = [each for each in _BLOCKS if each < self.count] or [0]
            return [dice.one_of(blocks)]
        return [dice.below(self.count) for _ in range(dice.one_of((1, 1, 3)))]

    def _row(self, place: str, position: int, dice: Dice) -> Sequence[int]:
        """The classes of a position that something is planted at: one, or the first ones, which may be all."""
        return range(min(self.classes, MOST_PLANTED)) if place == "row" else (self._class(place, position, dice),)

    def _class(self, place: str, position: int, dice: Dice) -> int:
        if place == "first":
            return 0
        if place == "last":
            return self.classes - 1
        if place == "block":
            return dice.one_of([each for each in _BLOCKS if each < self.classes] or [0])
        if place == "label" and self.labels is not None:
            label = int(self.labels.reshape(-1)[position])
            return label if 0 <= label < self.classes else 0
        return dice.below(self.classes)

    # -- other operands -----------------------------------------------------------------------------------------------

    def probabilities(self, kind: str, dice: Dice) -> Any:
        """Class probabilities of the logits' shape."""
        seed, planted = dice.seed(), dict[int, float]()
        distributions: dict[str, dict[str, Any]] = {
            "soft": {"distribution": "simplex", "seed": seed},
            "one-hot": {"distribution": "one-hot", "seed": seed},
            "nan": {"distribution": "simplex", "seed": seed},
            "even": {"distribution": "constant", "offset": 1.0 / max(self.classes, 1)},
            "unnormalised": {"distribution": "uniform", "scale": 0.75, "offset": 1.0, "seed": seed},
            "sparse": {"distribution": "constant"},
            "nearly-one-hot": {"distribution": "constant", "offset": -0.0},
        }
        if kind == "nan" and self.count * self.classes:
            planted[dice.below(self.count * self.classes)] = math.nan
        if kind in ("sparse", "nearly-one-hot") and self.classes:
            for position in self._some_positions(dice):
                for share in (0.75, 0.25) if kind == "sparse" else (2.0**-10, 1 - 2.0**-10):
                    planted[self.flat(position, dice.below(self.classes))] = share
        return self._generator(distributions[kind], planted)

    def weight(self, kind: str, dice: Dice) -> Any:
        """One weight a class."""
        count = self.classes
        if not count or count > MOST:
            return Generator(distribution="uniform", shape=[count], scale=0.75, offset=1.0, seed=dice.seed())
        drawn = materialise(Generator(distribution="labels", shape=[count], classes=23, seed=dice.seed()))
        weight = (drawn + 2) / 8
        equal = dice.one_of((2.0, 0.5, 0.1, 3.0))
        place = dice.below(count)
        if kind == "zeros":
            weight[dice.below(count) :: 3] = 0.0
        elif kind in ("equal", "ones"):
            weight[:] = 1.0 if kind == "ones" else equal
        elif kind in ("one-differs", "nearly-equal", "one-hot", "heavy"):
            near = equal * (1 + 2.0**-10)
            weight[:] = {"one-differs": equal, "nearly-equal": equal, "one-hot": 0.0, "heavy": 1e-3}[kind]
            weight[place] = {"one-differs": 4.0, "nearly-equal": near, "one-hot": 1.0, "heavy": 1000.0}[kind]
        elif kind == "zero-ended":
            weight[[0, -1]] = 0.0
        elif kind == "negative":
            weight[::2] *= -1.0
        elif kind == "nan":
            weight[place] = math.nan
        elif kind == "small":
            weight *= 1e-4
        elif kind == "integers":
            weight = np.round(weight * 4) + 1
        return weight.tolist()

    def mask(self, kind: str, dice: Dice) -> Any:
        """Which classes take part: at each position one class at least, which is drawn."""
        if kind == "all":
            return Generator(distribution="constant", shape=[*self.extents], offset=1.0)
        seed = dice.seed()
        drawing = Generator(distribution="labels", shape=[self.count, self.classes], classes=3, seed=seed)
        rows = (
            (materialise(drawing) > 0).astype(np.int64) if kind == "some" else np.zeros((self.count, self.classes), int)
        )
        for position in range(self.count):
            rows[position, dice.below(self.classes)] = 1
        others = self.extents[: self.place] + self.extents[self.place + 1 :]
        return np.moveaxis(rows.reshape(*others, self.classes), -1, self.place).tolist()

    def structured(self, kind: str, shape: tuple[int, ...], dice: Dice) -> Any:
        """An upstream gradient or a direction of ``shape``; None for the seeded one that is taken if none is stated."""
        size, seed = math.prod(shape), dice.seed()
        if kind == "seeded":
            return None
        if kind in ("ones", "zero", "constant"):
            value = {"ones": 1.0, "zero": 0.0}.get(kind, dice.one_of((0.5, -2.0, 0.1)))
            return Generator(distribution="constant", shape=[*shape], offset=value)
        if kind in ("tiny", "large"):
            scale = dice.one_of((1e-4, 1e-6) if kind == "tiny" else (100.0, 3000.0))
            return Generator(distribution="uniform", shape=[*shape], scale=scale, seed=seed)
        if kind == "alternating" and size <= MOST:
            return np.where(np.arange(size) % 2, -1.0, 1.0).reshape(shape).tolist()
        if kind == "one-hot":
            places = {dice.one_of((0, size - 1, dice.below(max(size, 1))))} if size else set()
            return Generator(distribution="constant", shape=[*shape], planted=[(each, 1.0) for each in places] or None)
        ends = {0, size - 1} if size > 2 and kind == "zero-ended" else set()
        planted = [(each, 0.0) for each in sorted(ends)] or None
        if kind in ("nan", "subnormal") and size:
            planted = [(dice.below(size), _special(kind, self.dtype))]
        return Generator(distribution="uniform", shape=[*shape], scale=0.5, offset=1.25, seed=seed, planted=planted)


#: Of these each position may have another.
_MIXED = ("nan", "inf", "-inf")


def _special(kind: str, dtype: DtypeName) -> float:
    form = FORMATS[dtype]
    return {
        "nan": math.nan,
        "inf": math.inf,
        "-inf": -math.inf,
        "minus-zero": -0.0,
        "largest": form.largest,
        "lowest": -form.largest,
        "least-normal": form.least_normal,
        "subnormal": form.least_subnormal,
    }[kind]

"""Shapes of random cases: numbers of classes and positions about powers of two, and about what 8 and 16 bits hold.

And round ones, as extents of models are: 10, 96, 100, 384, 1,000.
"""

from __future__ import annotations

from conformance.corpus.dice import Dice
from conformance.corpus.space import FORMS, Levels

__all__ = ["MOST", "extents_of"]

#: Logits of one case; of float64, which takes the oracle twenty times as long, most cases have fewer.
MOST, MOST_OF_FLOAT64, USUAL_OF_FLOAT64 = 1 << 18, 1 << 14, 1 << 11
#: Where the product is too large, the next smaller number of positions.
_SMALLER = {"huge": "many", "many": "middle", "middle": "power", "power": "few", "few": "three", "three": "one"}
_SMALL = {"no": 0, "one": 1, "two": 2, "three": 3}
#: Small odd numbers and powers of five, times powers of two: whole blocks other than powers of two.
_ROUND = sorted(odd << power for odd in (3, 5, 7, 25, 125) for power in range(1, 11))


def extents_of(family: Levels, dice: Dice) -> tuple[tuple[int, ...], Levels]:
    """The logits' shape, and ``family`` with fewer positions where they would have been too many."""
    form, family = FORMS[family["form"]], dict(family)
    if not form.rank:
        return (), family | {"classes": "one", "positions": "one"}
    classes = _classes(family["classes"], dice)
    most = MOST
    if family["dtype"] == "float64":
        most = MOST_OF_FLOAT64 if dice.chance(0.15) else USUAL_OF_FLOAT64
    if form.rank == 1:
        family["positions"] = "one"
    positions = _positions(family["positions"], dice)
    if positions * classes > most and family["positions"] in ("huge", "many") and dice.chance(0.7):
        family["classes"] = dice.one_of(("two", "three") if family["positions"] == "huge" else ("few", "power"))
        classes = _classes(family["classes"], dice)
    while classes * positions > most and family["positions"] in _SMALLER:
        family["positions"] = _SMALLER[family["positions"]]
        positions = _positions(family["positions"], dice)
    rest = _split(positions, form.rank - 1, dice)
    return (*rest[: form.place], classes, *rest[form.place :]), family


def _around(power: int, dice: Dice) -> int:
    return (1 << power) + dice.between(-1, 1)


def _anywhere(low: int, high: int, dice: Dice) -> int:
    """Any number in the range, or almost as often a round one: large ones are likely, as among all numbers."""
    if dice.chance(0.4):
        return int(dice.weighted({str(each): each for each in _ROUND if low <= each <= high}))
    return dice.between(low, high)


def _usual_count(level: str, dice: Dice) -> int | None:
    """A number of classes or positions; None for a level that means something else for each."""
    if level in _SMALL:
        return _SMALL[level]
    if level == "few":
        return dice.between(4, 9)
    if level == "power":
        return _around(dice.between(3, 7), dice)
    return _anywhere(10, 300, dice) if level == "middle" else None


def _classes(level: str, dice: Dice) -> int:
    usual = _usual_count(level, dice)
    if usual is not None:
        return usual
    if level == "wide":
        return _anywhere(300, 2100, dice) if dice.chance(0.4) else _around(dice.between(8, 10), dice)
    if level == "wider":
        return _around(dice.between(11, 13), dice)
    return dice.one_of((16383, 16385, 32000, 32769, 50257, 65535, 65536, 65537, 128256, 131073, 151936, 262144))


def _positions(level: str, dice: Dice) -> int:
    usual = _usual_count(level, dice)
    if usual is not None:
        return usual
    if level == "many":
        return _around(dice.between(8, 11), dice)
    return dice.one_of((4095, 4096, 4097, 65535, 65536, 65537))


def _split(count: int, axes: int, dice: Dice) -> tuple[int, ...]:
    """``count`` as a product of so many extents, in a random order; primes leave extents of 1, 0 any."""
    extents = [1] * axes
    if not count:  # one extent of 0, or several
        extents = [dice.between(0, 2) for _ in range(axes)]
        extents[dice.below(axes)] = 0
    rest, factor = count, 2
    while rest > 1 and axes:
        if factor * factor > rest:
            factor = rest
        if rest % factor:
            factor += 1
            continue
        extents[dice.below(axes)] *= factor
        rest //= factor
    return tuple(extents)

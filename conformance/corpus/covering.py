"""Covering arrays: few rows in which every combination of levels of any t factors occurs.

The construction is the greedy one of Cohen, Dalal, Fredman and Patton (*The AETG System*, IEEE Trans. Software Eng.
23(7), 1997): candidates are grown from a combination that is still missing, and the one that covers most is kept.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations, product

__all__ = ["Levels", "combinations_of", "covering_array"]

#: Factor to level.
Levels = dict[str, str]
_Tuple = tuple[tuple[str, str], ...]
CANDIDATES = 12


def combinations_of(row: Mapping[str, str], strength: int) -> Iterator[_Tuple]:
    """The combinations of ``strength`` factors' levels that ``row`` holds, factors in the row's own order."""
    return combinations(row.items(), strength)


def covering_array(
    factors: Mapping[str, Sequence[str]], strength: int, seed: int, allowed: Callable[[Mapping[str, str]], bool]
) -> list[Levels]:
    """Rows that together hold every allowed combination of ``strength`` levels; the same for the same ``seed``.

    ``allowed`` is asked of partial rows, too, and must not allow more when a factor is added. A combination that no
    whole row can hold is left out.
    """
    draw = random.Random(seed)
    missing = dict.fromkeys(_possible(factors, strength, allowed))
    rows: list[Levels] = []
    while missing:
        first = next(iter(missing))
        grown = [_grow(first, factors, strength, missing, allowed, draw) for _ in range(CANDIDATES)]
        whole = [row for row in grown if row is not None]
        if not whole:
            del missing[first]
            continue
        best = max(whole, key=lambda row: sum(each in missing for each in combinations_of(row, strength)))
        for each in combinations_of(best, strength):
            missing.pop(each, None)
        rows.append(best)
    return rows


def _possible(
    factors: Mapping[str, Sequence[str]], strength: int, allowed: Callable[[Mapping[str, str]], bool]
) -> Iterator[_Tuple]:
    for names in combinations(factors, strength):
        for levels in product(*(factors[name] for name in names)):
            chosen = tuple(zip(names, levels, strict=True))
            if allowed(dict(chosen)):
                yield chosen


def _grow(
    first: _Tuple,
    factors: Mapping[str, Sequence[str]],
    strength: int,
    missing: Mapping[_Tuple, None],
    allowed: Callable[[Mapping[str, str]], bool],
    draw: random.Random,
) -> Levels | None:
    """A whole row around ``first``, each further level chosen for what it covers; None where none is allowed."""
    row = dict(first)
    rest = [name for name in factors if name not in row]
    draw.shuffle(rest)
    for name in rest:
        levels = list(factors[name])
        draw.shuffle(levels)
        gains = [(_gain(row, name, level, factors, strength, missing), level) for level in levels]
        for _, level in sorted(gains, key=lambda pair: -pair[0]):
            if allowed({**row, name: level}):
                row[name] = level
                break
        else:
            return None
    return {name: row[name] for name in factors}


def _gain(
    row: Levels,
    name: str,
    level: str,
    factors: Mapping[str, Sequence[str]],
    strength: int,
    missing: Mapping[_Tuple, None],
) -> int:
    """How many missing combinations the level would complete with what the row holds already."""
    held = {**row, name: level}
    ordered = [(factor, held[factor]) for factor in factors if factor in held]
    others = [pair for pair in ordered if pair[0] != name]
    count = 0
    for chosen in combinations(others, strength - 1):
        members = {*chosen, (name, level)}
        count += tuple(pair for pair in ordered if pair in members) in missing
    return count

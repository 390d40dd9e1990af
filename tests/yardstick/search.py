"""What a search finds on test backends, without any of the suite's cases: wrong ones by their first failure.

The limits of time are of the process's own processor time, so that a busy machine does not lengthen a search.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from conformance.corpus.dice import Dice
from conformance.fuzz.search import Search
from conformance.fuzz.traits import shown
from conformance.model.wording import message
from conformance.run.judged import open_backend
from tests.yardstick.registry import Kind, kind_of, name_of, subject, title

__all__ = ["Searched", "sampled", "searched"]


@dataclass(frozen=True)
class Searched:
    """A search on one backend: the ``cases`` that were asked, the ``seconds`` it took, and its ``causes`` in words."""

    title: str
    cases: int
    seconds: float
    causes: tuple[str, ...]

    def __str__(self) -> str:
        first = self.causes[0] if self.causes else "nothing found"
        return f"{self.title:<48} {self.cases:>7,} cases {self.seconds:6.1f} s  {first}"


def sampled(kinds: Sequence[Kind], count: int, seed: int) -> list[Kind]:
    """So many of them, drawn by ``seed``."""
    dice, rest = Dice("sample", seed), [*kinds]
    return [rest.pop(dice.below(len(rest))) for _ in range(min(count, len(rest)))]


def searched(
    kinds: Sequence[Kind], seconds: float, seed: int, *, first: bool, processes: int = 0
) -> Iterator[Searched]:
    """A search of at most ``seconds`` on each of them, in their order; it ends at the ``first`` failure if so asked.

    The seed of each is one more than that of the one before it, so that no two of them are asked the same cases.
    """
    seeded = [(name_of(kind), seed + place) for place, kind in enumerate(kinds)]
    if processes == 1:
        yield from (_search(name, seconds, own, first) for name, own in seeded)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes or os.cpu_count() or 1, context) as pool:
        jobs = [pool.submit(_search, name, seconds, own, first) for name, own in seeded]
        yield from (job.result() for job in jobs)


def _search(name: tuple[str, str, str], seconds: float, seed: int, first: bool) -> Searched:
    kind = kind_of(name)
    with open_backend(kind(), subject=subject(kind)) as backend:
        search = Search(backend, seed)
        begin = time.process_time()
        search.run(_until(begin + seconds, first))
        spent = time.process_time() - begin
    causes = tuple(
        f"{cause.kind}: {', '.join(shown(cause.traits)) or 'nothing unusual'}: {message(cause.outcome)[:100]}"
        for cause in search.causes.all
    )
    return Searched(title(kind), search.asked, spent, causes)


def _until(end: float, first: bool) -> Callable[[Search], bool]:
    return lambda search: time.process_time() < end and not (first and search.causes.all)

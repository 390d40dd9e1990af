"""How far a benchmark is, and how long it will take: on standard error."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from time import monotonic

from conformance.bench.orders import BenchEntry, Job, NotTimed
from conformance.plain import on_terminal
from conformance.run.progress import Progress

__all__ = ["BenchProgress", "estimate", "totals"]

EVERY = 15.0  # seconds between two estimates


def estimate(seconds: dict[str, list[float]], left: Sequence[Job]) -> float | None:
    """Seconds that the jobs ``left`` will take: each as the last process of its backend, or as the mean of all."""
    if not seconds:
        return None
    last = {name: times[-1] for name, times in seconds.items()}
    mean = sum(last.values()) / len(last)
    return sum(last.get(job.backend, mean) for job in left)


def totals(jobs: Sequence[Job]) -> dict[str, int]:
    """How many entries each backend has."""
    counts: Counter[str] = Counter()
    for job in jobs:
        counts[job.backend] += len(job.entries)
    return +counts


class BenchProgress:
    """Shows on ``progress`` what the driver reports."""

    def __init__(self, jobs: Sequence[Job], progress: Progress) -> None:
        self.note = progress.note
        self._jobs = len(jobs)
        self._progress = progress
        self._seconds: dict[str, list[float]] = {}
        self._begin = self._last = monotonic()
        self._noted = 0.0
        self._failed: set[tuple[str, str, str]] = set()

    def entry(self, job: Job, entry: BenchEntry, refused: NotTimed | None) -> None:
        """Advance the backend's count; a failure is shown once."""
        failed = refused is not None and refused.status != "unsupported"
        self._progress.advance(job.backend, 1, int(failed))
        if refused is None or not failed:
            return
        line = on_terminal((refused.message.splitlines() or [""])[0], 200)
        failure = (job.backend, refused.status, line)
        if failure not in self._failed:
            self._failed.add(failure)
            self.note(f"{job.backend}: {entry.group}: {refused.status}: {line}")

    def skipped(self, job: Job, entries: int) -> None:
        """What will not be tried counts as done."""
        if entries:
            self._progress.advance(job.backend, entries)

    def process(self, job: Job, left: Sequence[Job]) -> None:
        """Remember how long the process took, and say what is left now and then."""
        now = monotonic()
        self._seconds.setdefault(job.backend, []).append(now - self._last)
        self._last = now
        remaining = estimate(self._seconds, left)
        if remaining is not None and now - self._noted >= EVERY and left:
            self._noted = now
            done = self._jobs - len(left)
            self.note(
                f"{done} of {self._jobs} processes, {_clock(now - self._begin)} gone, about {_clock(remaining)} left"
            )


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"

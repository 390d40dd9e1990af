"""How each backend stands over all runs, in each of its versions: what badges and the job summary say first."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from conformance.reports.matrix import Matrix
from conformance.reports.merge import Merged

__all__ = ["Standing", "standings"]


@dataclass(eq=False)
class Standing:
    """A backend in one version. ``started`` is the latest run's; ``incomplete`` says that one was cut off.

    ``lost`` of its checks were not reached, since its process had died.
    """

    name: str
    version: str
    started: str = ""
    incomplete: bool = False
    error: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    lost: int = 0

    @property
    def label(self) -> str:
        """Name and version."""
        return f"{self.name} {self.version}".rstrip()


def standings(merged: Merged, counted: Matrix) -> list[Standing]:
    """Every backend that has outcomes, then those that did not run."""
    found: dict[tuple[str, str], Standing] = {}
    for column in counted.columns:
        key = (column.id.name, column.id.version)
        standing = found.setdefault(key, Standing(*key))
        standing.counts += counted.total(column)
        standing.lost += counted.lost[column]
        standing.started = max(standing.started, *(run.header.started for run in column.runs))
        standing.incomplete |= any(run.truncated for run in column.runs)
    for run in merged.runs:
        for name, record in run.backends.items():
            if record.error:
                standing = found.setdefault((name, record.id.version), Standing(name, record.id.version))
                standing.error = record.error
                standing.started = max(standing.started, run.header.started)
    return [*found.values()]

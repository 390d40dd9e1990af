"""The memory of merging a hundred full runs: ``python -m tests.overhead.merging [RUN] [COUNT]``.

Copies of a run, each of other versions, are merged in a process of its own, which then makes every table of a report
but the pages of the cases. ``RUN`` is a recorded run; without one, a run of the size of a full one is made up. The
copies take 60 MB each on disk while this runs.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from conformance.model.backend import BackendId, BackendRecord
from conformance.model.checks import IDENTITIES
from conformance.model.outcome import Outcome
from conformance.model.records import SCHEMA, Footer, Header, encode_record
from conformance.results.store import FILE, Run, read_run
from tests.support.figures import Figure

__all__ = ["merged_memory"]

#: Backends, cases and checks of a case of a full run.
_SIZE = (7, 1_265, 19)


def merged_memory(folder: Path, count: int, recorded: Path | None = None) -> list[Figure]:
    """Peak memory and time of merging ``count`` runs, and of every table of their report; copies go into ``folder``."""
    source = read_run(recorded) if recorded else _made_up(folder / "one")
    outcomes = folder / "outcomes"
    with outcomes.open("wb") as file:
        file.writelines(encode_record(each) for each in source.outcomes)
    size = 0
    for place in range(count):
        size += _copy(source, outcomes, folder / "runs" / f"{place:03}", place)
    begin = time.perf_counter()
    command = [sys.executable, "-m", "tests.overhead.merging", "--tables", str(folder / "runs")]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    seconds, (checks, peak) = time.perf_counter() - begin, map(int, said)
    return [
        Figure(f"merging {count} full runs", f"{checks:,} checks, {size / 2**30:.1f} GiB of JSON, {seconds:.0f} s"),
        Figure("peak memory of that, all tables", f"{peak / 2**20:.0f} MiB", "at most 1,024 MiB"),
    ]


def _copy(source: Run, outcomes: Path, folder: Path, place: int) -> int:
    """Write a run whose backends have versions of their own; its size in bytes."""
    folder.mkdir(parents=True)
    header = msgspec.structs.replace(
        source.header, schema=SCHEMA, started=f"2026-01-01T00:{place // 60:02}:{place % 60:02}"
    )
    with (folder / FILE).open("wb") as file:
        file.write(encode_record(header))
        for record in source.backends.values():
            identity = msgspec.structs.replace(record.id, version=f"{place}.0")
            file.write(encode_record(msgspec.structs.replace(record, id=identity)))
        with outcomes.open("rb") as lines:
            while block := lines.read(1 << 20):
                file.write(block)
        file.write(encode_record(Footer(counts={}, seconds=1.0, complete=True)))
        return file.tell()


def _made_up(folder: Path) -> Run:
    backends, cases, checks = _SIZE
    folder.mkdir(parents=True)
    names = [f"backend-{place}" for place in range(backends)]
    with (folder / FILE).open("wb") as file:
        file.write(encode_record(Header(suite="overhead", started="2026-01-01")))
        file.writelines(encode_record(BackendRecord(name=name, id=BackendId(name=name))) for name in names)
        file.writelines(map(encode_record, _outcomes(names, cases, checks)))
        file.write(encode_record(Footer(counts={}, seconds=1.0, complete=True)))
    return read_run(folder)


def _outcomes(names: list[str], cases: int, checks: int) -> Iterator[Outcome]:
    for name in names:
        for place in range(cases * checks):
            case, check = divmod(place, checks)
            check = sorted(range(checks), key=lambda each: each % 4)[check]  # the checks of a dtype stand together
            yield Outcome(
                case=f"a-case-with-a-name-that-says-what-it-is-for-{case}",
                theme=f"theme-{case % 26}",
                backend=name,
                dtype=("float64", "float32", "float16", "bfloat16")[check % 4],
                layout="contiguous",
                op="cross_entropy",
                reduction=("none", "sum", "mean")[check % 3],
                check="value" if check < 12 else IDENTITIES[check - 12],
                verdict="pass" if place % 97 else "deviation",
                class_="A",
                ulp=place % 1009 / 2018,
                ratio=place % 1013 / 4000,
                observed=place / 3,
                expected=place / 3 + 1e-9,
                worst_input={"logits": [float(place).hex()] * 8, "target": 3},
            )


def _tables(runs: Path) -> None:
    """Merge, make every table, and print how many checks stand and the peak memory in bytes."""
    import conformance
    from conformance.reports import accuracy, defects
    from conformance.reports.matrix import matrix
    from conformance.reports.merge import merge
    from conformance.reports.semantics import semantics
    from conformance.reports.worst import findings

    relations = merge([runs]).relations
    counted = matrix(relations)
    semantics(relations), findings(relations, 100), accuracy.accuracy(relations), accuracy.agreement(relations)
    for measure in ("ulp", "ratio"):
        accuracy.spreads(relations, measure, (-5, 5))
    for table in (defects.known, defects.deviations, defects.refusals):
        table(relations)
    relations.close()
    frame = conformance.load(runs, sql='select "column", verdict, count(*) as checks from outcomes group by all')
    checks = sum(counted.total(column).total() for column in counted.columns)
    assert checks == frame["checks"].sum()
    print(checks, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--tables"]:
        _tables(Path(sys.argv[2]))
        sys.exit()
    given = [Path(each) for each in sys.argv[1:] if not each.isdigit()]
    asked = [int(each) for each in sys.argv[1:] if each.isdigit()]
    with tempfile.TemporaryDirectory() as name:
        for figure in merged_memory(Path(name), *(asked or [100]), *given):
            print(f"{figure.what}: {figure.value}" + (f" ({figure.asked})" if figure.asked else ""))

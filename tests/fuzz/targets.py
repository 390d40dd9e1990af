"""What is fuzzed: sound files of each kind, and everything that reads one."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from io import StringIO
from pathlib import Path

import numpy as np

from conformance.bench.workloads import read_workloads
from conformance.cases.checks import elements_of
from conformance.cases.load import case_files, load_suite, read_suite
from conformance.cli import main
from conformance.model.case import Case
from conformance.model.errors import CaseError
from conformance.places import CASES, PROFILES
from conformance.profiles.lint import lint_profiles
from conformance.profiles.load import load_profile
from conformance.repro.kernel import LARGEST
from conformance.run.chunk import chunk_of
from conformance.run.plan import Portion
from conformance.worker import wire
from tests.fuzz.asking import CASE, KERNEL, asking
from tests.support import benchmarks, outcomes

__all__ = ["TARGETS", "Target"]

#: Tensors of a sound case up to this many numbers are made, and its truth computed.
_MOST_ELEMENTS = 4096
_SMALL_CASE = f"""\
theme: small
cases:
  - {{id: {CASE}, why: a case, op: softmax, logits: [[1, 2]]}}
"""


@dataclass(frozen=True)
class Target:
    """``seeds`` are sound files; ``check`` puts bytes into a folder that it may use, and reads them in every way.

    ``check`` raises for whatever is not a refusal in words.
    """

    name: str
    seeds: Callable[[], list[bytes]]
    check: Callable[[bytes, Path], None]
    binary: bool = False


def answered(*arguments: object, codes: Sequence[int] = (0, 1, 2), longest: int = 5000) -> str:
    """What a verb prints to standard output; it ends with one of ``codes``, and nothing printed steers a terminal.

    A line has ``longest`` characters at most.
    """
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([*map(str, arguments)])
    assert code in codes, f"exit code {code}: {err.getvalue()}"
    # A mark that does not print breaks what a runner would take as a command; annotations are such commands.
    for line in (out.getvalue() + err.getvalue()).split("\n"):
        if "--annotations" in arguments and line.startswith(("::error title=", "::notice title=")):
            line = line[2:]
        assert line.replace("\u2060", "").isprintable(), f"not printable: {line[:200]!r}"
        assert not line.lstrip().startswith("::"), f"a command of a CI runner: {line[:200]!r}"
        assert len(line) <= longest, f"a line of {len(line)} characters: {line[:200]!r}"
    return out.getvalue()


# -- case files ------------------------------------------------------------------------------------------------------


@cache
def _case_seeds() -> list[bytes]:
    """Every small case of the suite, alone and in threes, in a file of its own."""
    found = []
    for file in case_files([CASES]):
        text = file.read_text(encoding="utf-8")
        head, *cases = text.split("\n  - id: ")
        sound = [f"\n  - id: {case}" for case in cases if len(case) < 2000]
        found += [head + case + "\n" for case in sound]
        found += [head + "".join(sound[start : start + 3]) + "\n" for start in range(0, len(sound), 9)]
    return [text.encode() for text in found]


def _check_cases(data: bytes, folder: Path) -> None:
    file = folder / "cases.yaml"
    file.write_bytes(data)
    json.loads(answered("lint", file, "--format", "json"))
    suite, errors = read_suite([file])
    assert not errors or all(error.hint for error in errors)
    for entry in suite.entries:
        if elements_of(entry.case) > _MOST_ELEMENTS or entry.case.budget.memory:
            continue
        try:
            chunk = chunk_of(Portion(0, (entry,)))
        except CaseError as error:
            assert error.hint
            continue
        for request in chunk.requests:
            for operand in request.operands.values():
                if not isinstance(operand, np.ndarray):
                    wire.pack(operand)
        for group in chunk.groups:
            for reduction in group.places:
                for quantity in ("value", "gradient"):
                    group.prepared.tolerance(quantity, reduction, "B")  # type: ignore[arg-type]


# -- profiles and workloads ------------------------------------------------------------------------------------------


@cache
def _profile_seeds() -> list[bytes]:
    return [file.read_bytes() for file in sorted(PROFILES.glob("*.yaml"))]


@cache
def _cases() -> list[Case]:
    return [entry.case for entry in load_suite([CASES / "invalid"]).entries]


def _check_profile(data: bytes, folder: Path) -> None:
    file = folder / "torch.profile.yaml"
    file.write_bytes(data)
    assert all(found.hint for found in lint_profiles(folder, _cases()))
    try:
        load_profile(file).resolved_policies("cpu", "eager")
    except CaseError as error:
        assert error.hint


@cache
def _workload_seeds() -> list[bytes]:
    return [file.read_bytes() for file in sorted((CASES / "benchmarks").rglob("*.yaml"))]


def _check_workloads(data: bytes, folder: Path) -> None:
    file = folder / "benchmarks" / "mine.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(data)
    json.loads(answered("lint", file, "--format", "json"))
    read, errors = read_workloads([file])
    assert all(each.logits_bytes > 0 for each in read) and all(error.hint for error in errors)


# -- results, benchmarks and history -----------------------------------------------------------------------------------


def _written(write: Callable[[Path], Path], name: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return (write(Path(folder) / "run") / name).read_bytes()


@cache
def _result_seeds() -> list[bytes]:
    failing = {"verdict": "fail", "class_": "F", "ulp": 9.0, "ratio": 3.0, "bound": 1e-9, "observed": 1.0}
    found = [
        outcomes.outcome("a"),
        outcomes.outcome("b", **failing),
        outcomes.outcome("c", check="error", verdict="fail", error={"type": "ValueError", "text": "no", "where": ""}),
        outcomes.outcome("d", verdict="stale", check="register", defect={"id": "it", "issue": "a/b#1"}),
        outcomes.outcome("e", verdict="unsupported", ulp=None, ratio=None, class_=None),
        outcomes.outcome(
            "f", check="policy", policy="label-out-of-range", aspect="above", observed=["nan"], expected="raise"
        ),
    ]
    whole = _written(lambda folder: outcomes.run(folder, found), "outcomes.jsonl")
    cut = _written(lambda folder: outcomes.run(folder, found, complete=False), "outcomes.jsonl")
    # An edit of a file with checksums is noticed by these; without them it gets as far as the reports.
    plain, much = [whole, outcomes.unsealed(whole), outcomes.unsealed(cut)], asking()
    return [*plain * (len(much) // len(plain)), *much]


def _check_results(data: bytes, folder: Path) -> None:
    run = folder / "run"
    run.mkdir(exist_ok=True)
    (run / "outcomes.jsonl").write_bytes(data)
    sound = folder / "sound"
    if not sound.exists():
        sound.mkdir()
        (sound / "outcomes.jsonl").write_bytes(_result_seeds()[0])
        (folder / "small.yaml").write_text(_SMALL_CASE, encoding="utf-8")
    answered("diff", sound, run)
    answered("list", "policies", "--observed", run)
    draw = random.Random(data).random()
    if draw < 0.02:
        answered("report", run, "--output", folder / "report", "--cases", folder / "small.yaml", "--annotations")
        answered("dossier", run, "--output", folder / "dossier", "--cases", folder / "small.yaml")
    elif draw < 0.04:
        answered("history", "add", run, "--db", folder / f"{draw}.duckdb")
        costs = ("--costs", run, "--shard", "2/2", "--output", folder / "shard", "--replace", "--quiet")
        answered("run", "-b", "numpy", "--cases", folder / "small.yaml", *costs)
    elif draw < 0.06:
        script = ("repro", CASE, "-b", KERNEL, "--cases", folder / "small.yaml", "--run", run)
        answered(*script, longest=2 * LARGEST)  # of a kernel's text
    elif draw < 0.08:
        answered("run", "--resume", run, "--quiet")


@cache
def _benchmark_seeds() -> list[bytes]:
    options = {
        "replicates": 2,
        "rounds": 3,
        "backends": {name: benchmarks.BACKENDS[name] for name in ("numpy", "jax")},
        "workloads": {name: benchmarks.WORKLOADS[name] for name in ("latency-1x10", "scaling-classes-8")},
    }
    document = benchmarks.document(**options)
    return [json.dumps(document, indent=1).encode(), json.dumps(document).encode()]


def _check_benchmarks(data: bytes, folder: Path) -> None:
    run, sound = folder / "run", folder / "sound"
    for each, content in ((run, data), (sound, _benchmark_seeds()[0])):
        each.mkdir(exist_ok=True)
        (each / "benchmarks.json").write_bytes(content)
    answered("diff", sound, run)
    answered("history", "add", run, "--db", folder / f"{random.Random(data).random()}.duckdb")


@cache
def _history_seeds() -> list[bytes]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        benchmarks.write(folder / "times", replicates=2, rounds=3, workloads={"latency-1x10": (1, 10)})
        outcomes.run(folder / "run", [outcomes.outcome("a")])
        answered("history", "add", folder / "times", folder / "run", "--db", folder / "history.duckdb")
        return [(folder / "history.duckdb").read_bytes()]


def _check_history(data: bytes, folder: Path) -> None:
    file = folder / "history.duckdb"
    file.write_bytes(data)
    run = folder / "run"
    if not run.exists():
        outcomes.run(run, [outcomes.outcome("b")])
    # A damaged database is the disk's fault as likely as the user's.
    answered("history", "show", "--db", file, codes=(0, 2, 3))
    answered("history", "add", run, "--db", file, codes=(0, 2, 3))


TARGETS = {
    target.name: target
    for target in (
        Target("case-files", _case_seeds, _check_cases),
        Target("profiles", _profile_seeds, _check_profile),
        Target("workloads", _workload_seeds, _check_workloads),
        Target("results", _result_seeds, _check_results),
        Target("benchmarks", _benchmark_seeds, _check_benchmarks),
        Target("history", _history_seeds, _check_history, binary=True),
    )
}

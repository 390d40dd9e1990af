"""Runs a stand-alone script of every register entry in a process of its own: entry, case, and whether it shows.

``python -m tests.support.registers [--run DIR]... [BACKEND...]`` asks the installed frameworks for the case that the
list of findings names for each entry, else for others that the entry names, unless a run holds what is known of it;
writes the script of what is known, runs it with nothing but the framework, in a fork of a process that has imported it,
and prints a line for each entry. The exit code is 1 where one does not show that depends on nothing but the version.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

import click
import msgspec

from conformance.cases.literals import count_of
from conformance.cases.load import Entry, load_suite
from conformance.model.backend import BackendRecord
from conformance.model.errors import BackendUnavailable, UsageError
from conformance.model.outcome import Outcome
from conformance.places import CASES, PROFILES
from conformance.profiles.load import load_profile
from conformance.profiles.profile import DEFAULT, Defect
from conformance.profiles.versions import is_within
from conformance.repro.script import reproducer
from conformance.results.store import read_run
from conformance.run.judged import open_backend
from conformance.run.plan import Plan
from conformance.worker.limits import Limits
from tests.support.reproducers import problem, run_bare

__all__ = ["Line", "lines_of"]

#: Cases of an entry that are asked, and scripts that are tried, where the first do not show it.
CASES_ASKED, SCRIPTS_TRIED = 3, 4
#: What a script may take beside others.
SECONDS = 240
#: Runs scripts in forks, after the imports and settings of the first one.
FORKS = """
import json, os, runpy, signal, sys, traceback
number, seconds = map(int, sys.argv[1:])
head = []
for line in open("0.py"):
    if line.strip() and not line.startswith(("#", "import ", "from ", "os.environ")):
        break
    head.append(line)
exec("".join(head))
ends = []
for each in range(number):
    child = os.fork()
    if not child:
        signal.alarm(seconds)
        os.dup2(os.open(f"{each}.out", os.O_WRONLY | os.O_CREAT), 1)
        os.dup2(os.open(f"{each}.err", os.O_WRONLY | os.O_CREAT), 2)
        try:
            runpy.run_path(f"{each}.py", run_name="__main__")
            code = 0
        except SystemExit as ended:
            code = ended.code or 0
        except BaseException:
            traceback.print_exc()
            code = 1
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    said = open(f"{each}.err", errors="replace").read().strip().splitlines()
    ends.append(signal.Signals(-code).name if code < 0 else said[-1] if code and said else "")
json.dump(ends, open("ends.json", "w"))
"""
_CHECKS = ("value", "gradient", "error")
_DTYPES = ("float32", "float64", "float16", "bfloat16")


@dataclass(frozen=True)
class Line:
    """An entry: the backend's spec, what showed it, what the script printed, and why it does not show; empty if so."""

    spec: str
    entry: Defect
    outcome: Outcome | None
    printed: str
    wrong: str

    @property
    def fails(self) -> bool:
        """Whether the entry should have shown: it depends on nothing but the version."""
        return bool(self.wrong) and not (self.entry.machine or self.entry.intermittent)

    @property
    def text(self) -> str:
        """One line for people."""
        named = next((case for case in self.entry.cases if "*" not in case), "")
        where = self.outcome and f"{self.outcome.case}, {self.outcome.dtype}, {self.outcome.check}"
        other = "" if not self.outcome or self.outcome.case == named else f" (not in {named or 'a case that is named'})"
        seen = " | ".join(line for line in self.printed.splitlines() if not line.startswith(self.spec))
        return f"{self.spec} {self.entry.id}: {self.wrong or 'shows'}{other}; {where or 'no case'}; {seen[:200]}"


def lines_of(backend: str, runs: Sequence[Path] = ()) -> Iterator[Line]:
    """A line for each entry of a backend's register that holds for the installed version, or that of the runs."""
    profile = load_profile(PROFILES / f"{backend}.yaml")
    cases = {entry.case.id: entry for entry in load_suite((CASES,)).entries}
    by_spec: defaultdict[str, list[Defect]] = defaultdict(list)
    for entry in profile.known:
        by_spec[":".join([backend, *(word for word in entry.modes[:1] if word != DEFAULT)])].append(entry)
    for spec, entries in by_spec.items():
        yield from _lines(spec, entries, cases, runs)


def _lines(spec: str, register: Sequence[Defect], cases: Mapping[str, Entry], runs: Sequence[Path]) -> Iterator[Line]:
    record, found = _recorded(spec, cases, runs)
    missing = [each for each in register if each.id not in found]
    if missing:
        with open_backend(spec, limits=Limits(hangs=1)) as backend:
            record = backend.record
            missing = [each for each in missing if is_within(record.id.version, each.versions)]
            for portion in Plan(_asked(missing, cases)).portions:
                _add(found, backend.judge(portion).outcomes, cases)
    assert record is not None
    register = [each for each in register if is_within(record.id.version, each.versions)]
    tries = {entry.id: _tries(entry, found.get(entry.id, []), cases, record) for entry in register}
    firsts = {name: each[0].script for name, each in tries.items() if each and each[0].script}
    printed = dict(zip(firsts, _forked(list(firsts.values())), strict=True))
    for entry in register:
        yield _line(spec, entry, tries[entry.id], printed.get(entry.id))


def _recorded(
    spec: str, cases: Mapping[str, Entry], runs: Sequence[Path]
) -> tuple[BackendRecord | None, dict[str, list[Outcome]]]:
    """What runs hold of a backend: its record, and what was known of each entry."""
    record: BackendRecord | None = None
    found: dict[str, list[Outcome]] = {}
    for folder in runs:
        run = read_run(folder)
        if spec in run.backends:
            record = run.backends[spec]
            _add(found, (each for each in run.outcomes if each.backend == record.name), cases)
    return record, found


def _add(found: dict[str, list[Outcome]], outcomes: Iterable[Outcome], cases: Mapping[str, Entry]) -> None:
    for each in outcomes:
        if each.verdict == "known" and each.defect is not None and each.case in cases:
            found.setdefault(each.defect.id, []).append(each)


@dataclass(frozen=True)
class Try:
    """A finding of an entry, and its script, or why there is none."""

    outcome: Outcome
    script: str
    missing: str = ""


def _tries(entry: Defect, outcomes: Sequence[Outcome], cases: Mapping[str, Entry], record: BackendRecord) -> list[Try]:
    found = []
    for outcome in _first(entry, outcomes)[:SCRIPTS_TRIED]:
        try:
            found.append(Try(outcome, reproducer(cases[outcome.case], outcome, record).text))
        except UsageError as error:
            found.append(Try(outcome, "", f"has no script: {error}"))
    return sorted(found, key=lambda each: bool(each.missing))


def _asked(register: Sequence[Defect], entries: Mapping[str, Entry]) -> list[Entry]:
    """The cases of entries, the smallest that they name first, in the dtypes that they name."""
    wanted: defaultdict[str, set[str]] = defaultdict(set)
    for defect in register:
        named = [name for name in defect.cases if name in entries]
        others = [name for name in entries if any(fnmatchcase(name, each) for each in defect.cases if "*" in each)]
        others.sort(key=lambda name: count_of(entries[name].case.input))
        for name in [*named[:1], *sorted(named[1:], key=lambda name: count_of(entries[name].case.input)), *others][
            :CASES_ASKED
        ]:
            case = entries[name].case
            wanted[name] |= {each for each in case.dtypes if not defect.dtypes or each in defect.dtypes}
    narrowed = []
    for name, dtypes in wanted.items():
        case = entries[name].case
        kept = tuple(each for each in case.dtypes if each in dtypes) or case.dtypes
        narrowed.append(replace(entries[name], case=msgspec.structs.replace(case, dtypes=kept)))
    return narrowed


def _line(spec: str, entry: Defect, tries: Sequence[Try], forked: tuple[str, str] | None) -> Line:
    """What the first script printed in its fork, where that shows the entry; else of all, run by themselves."""
    if not tries:
        return Line(spec, entry, None, "", "is not observed")
    if forked is not None and not _wrong(entry, tries[0].outcome, *forked):
        return Line(spec, entry, tries[0].outcome, "".join(forked), "")
    lines = []
    for each in tries:
        lines.append(_alone(spec, entry, each))
        if not lines[-1].wrong:
            return lines[-1]
    return lines[0]


def _alone(spec: str, entry: Defect, each: Try) -> Line:
    if each.missing:
        return Line(spec, entry, each.outcome, "", each.missing)
    try:
        printed, raised = run_bare(each.script)
    except subprocess.TimeoutExpired:
        return Line(spec, entry, each.outcome, "", "" if each.outcome.verdict == "timeout" else "does not end")
    return Line(spec, entry, each.outcome, printed + raised, _wrong(entry, each.outcome, printed, raised))


def _wrong(entry: Defect, outcome: Outcome, printed: str, raised: str) -> str:
    if entry.severity == "memory-error" and raised.startswith("SIG") and raised != "SIGALRM":
        return ""  # where there is luck, the process only may end
    said = problem(outcome, printed, raised)
    return f"does not show: {said}" if said else ""


def _forked(scripts: Sequence[str]) -> list[tuple[str, str]]:
    """What each script prints, and the last line of its error or its signal, in a fork of a process that has imported.

    The process runs no more than the first lines of the first script; what it forks, all of one script.
    """
    if not scripts:
        return []
    with tempfile.TemporaryDirectory() as name:
        for number, script in enumerate(scripts):
            Path(name, f"{number}.py").write_text(script, encoding="utf-8")
        Path(name, "forks.py").write_text(FORKS)
        variables = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        command = [sys.executable, "-I", "forks.py", str(len(scripts)), str(SECONDS)]
        subprocess.run(command, cwd=name, env=variables, capture_output=True, check=True)
        return [
            (Path(name, f"{number}.out").read_text(errors="replace"), ended)
            for number, ended in enumerate(json.loads(Path(name, "ends.json").read_text()))
        ]


def _first(entry: Defect, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """One outcome of each case and check, in the order in which a reader would try them."""

    def place(each: Outcome) -> tuple[object, ...]:
        check = _CHECKS.index(each.check) if each.check in _CHECKS else len(_CHECKS)
        named = entry.cases.index(each.case) if each.case in entry.cases else len(entry.cases)
        dtype = _DTYPES.index(each.dtype)
        return (each.check == "policy", named, check, each.layout != "contiguous", dtype, each.reduction)

    once: dict[tuple[str, str], Outcome] = {}
    for each in sorted(outcomes, key=place):
        once.setdefault((each.case, each.check), each)
    return list(once.values())


@click.command()
@click.option("--run", "runs", type=click.Path(path_type=Path), multiple=True, help="A run that holds what is known.")
@click.argument("backends", nargs=-1)
def main(runs: tuple[Path, ...], backends: tuple[str, ...]) -> None:
    """Print a line for each entry, and the counts."""
    shown = total = failed = 0
    for backend in backends or [path.stem for path in sorted(PROFILES.glob("*.yaml"))]:
        try:
            for line in lines_of(backend, runs):
                print(line.text, flush=True)
                shown += not line.wrong
                total += 1
                failed += line.fails
        except BackendUnavailable as error:
            print(f"{backend}: {error}")
    print(f"{shown} of {total} entries show")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

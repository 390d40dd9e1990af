"""Runs the generated script of every registered defect in a bare process and holds it against the observation.

``python -m tests.support.reproducers [BACKEND...]`` runs them one by one (some minutes) and prints the counts.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Protocol

import msgspec

from conformance.backends.discovery import create
from conformance.cases.load import Entry, load_suite
from conformance.model.checks import IDENTITIES
from conformance.model.errors import UsageError
from conformance.model.outcome import Outcome
from conformance.model.wording import statement
from conformance.places import CASES, ROOT
from conformance.profiles.profile import Defect
from conformance.profiles.register import entries_for
from conformance.repro.script import reproducer
from conformance.run.judged import OpenBackend
from conformance.run.plan import Plan
from conformance.worker.session import InlineSession

#: Backends whose scripts share a process: those of one framework's machinery.
FAMILIES = {
    "jax": ("jax", "jax:logsumexp", "optax", "optax:safe"),
    "tensorflow": ("tensorflow",),
    "torch": ("torch",),
}
SPECS = tuple(spec for family in FAMILIES.values() for spec in family)
#: Runs every script of a list in one process, without the project: what each printed and raised, as JSON.
RUNNER = """
import contextlib, gc, io, json, runpy, sys
gc.disable()  # next to all of what there is belongs to the framework
results = []
for path in json.load(open(sys.argv[1])):
    printed, raised = io.StringIO(), ""
    try:
        with contextlib.redirect_stdout(printed):
            runpy.run_path(path)
    except Exception as error:
        raised = f"{type(error).__name__}: {error}"
    results.append([printed.getvalue(), raised])
json.dump(results, open(sys.argv[2], "w"))
"""


class Written(Protocol):
    """Anything that holds a script."""

    @property
    def script(self) -> str: ...


@dataclass(frozen=True)
class Shown:
    """A finding and its script."""

    outcome: Outcome
    script: str


def opened(spec: str) -> OpenBackend:
    """A backend in this very process, which may have imported its framework already."""
    before = dict(os.environ)
    try:
        return OpenBackend(InlineSession(create(spec, 1), spec), spec)
    finally:
        os.environ.clear()
        os.environ.update(before)


@cache
def findings(spec: str, *, all_cases: bool) -> list[Shown]:
    """Every known defect of a backend with its script; or of each register entry only one case, dtype and reduction."""
    suite = load_suite((CASES,)).entries
    backend = opened(spec)
    subject, record = backend.subject, backend.record
    defects = entries_for(subject)
    transformed = any(check in IDENTITIES for each in defects for check in each.checks)
    plan = Plan(_all(suite, defects) if all_cases else _one_each(suite, defects), identities=transformed)
    entries = {entry.case.id: entry for entry in suite}
    found = (backend.judge(portion) for portion in plan.portions)
    rows = [row for each in found for row in each.outcomes if row.verdict == "known"]
    return [Shown(row, reproducer(entries[row.case], row, record).text) for row in rows]


def _all(suite: Sequence[Entry], register: Sequence[Defect]) -> list[Entry]:
    named = {case for entry in register for case in entry.cases}
    return [entry for entry in suite if any(fnmatchcase(entry.case.id, each) for each in named)]


def _one_each(suite: Sequence[Entry], register: Sequence[Defect]) -> list[Entry]:
    """For each entry its first case, in one dtype and reduction: compiling is what takes the time."""
    found: dict[tuple[str, str, str], Entry] = {}
    for defect in register:
        entry = next(entry for entry in suite if fnmatchcase(entry.case.id, defect.cases[0]))
        case = entry.case
        dtypes = [each for each in ("float32", "float16", *case.dtypes) if each in (defect.dtypes or case.dtypes)]
        dtype = next(each for each in dtypes if each in case.dtypes)
        reduction = defect.reductions[0] if defect.reductions else case.reductions[0]
        narrow = msgspec.structs.replace(case, dtypes=(dtype,), reductions=(reduction,), layouts=case.layouts[:1])
        found[(case.id, dtype, reduction)] = replace(entry, case=narrow)
    return list(found.values())


def entry_of(shown: Shown) -> str:
    """The register entry that describes a finding."""
    return shown.outcome.defect.id if shown.outcome.defect else ""


def run_together(shown: Sequence[Written], folder: Path) -> list[tuple[str, str]]:
    """What each script printed and raised, in one bare process."""
    paths = []
    for number, each in enumerate(shown):
        path = folder / f"{number}.py"
        path.write_text(each.script, encoding="utf-8")
        paths.append(str(path))
    (folder / "list.json").write_text(json.dumps(paths))
    (folder / "runner.py").write_text(RUNNER)
    # What JAX compiles for one script serves the next: many differ only in the layout of their inputs.
    kept = {"COMPILATION_CACHE_DIR": "compiled", "PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    kept["PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
    more = {f"JAX_{name}": value for name, value in kept.items()}
    done = _python(folder, "-I", "runner.py", "list.json", "results.json", **more)
    assert done.returncode == 0, done.stderr
    return [(out, error) for out, error in json.loads((folder / "results.json").read_text())]


def run_bare(script: str) -> tuple[str, str]:
    """What a script prints, and the last line of its error or its signal, in a process and a folder of its own.

    Scripts that need the suite find this one; all others find no more than the framework.
    """
    with tempfile.TemporaryDirectory() as name:
        Path(name, "reproducer.py").write_text(script, encoding="utf-8")
        suite = "from conformance." in script
        done = _python(Path(name), *([] if suite else ["-I"]), "reproducer.py", suite=suite)
    if done.returncode < 0:
        return done.stdout, signal.Signals(-done.returncode).name
    return done.stdout, done.stderr.strip().splitlines()[-1] if done.returncode else ""


def _python(folder: Path, *arguments: str, suite: bool = False, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")} | more
    environment |= {"PYTHONPATH": str(ROOT)} if suite else {}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)


def problem(outcome: Outcome, printed: str, raised: str) -> str:
    """How a script's output differs from the recorded observation; empty where it agrees."""
    observed = [line.partition("observed:")[2].strip() for line in printed.splitlines() if "observed:" in line]
    if outcome.check == "policy" and not raised:
        return "" if observed else "nothing printed"
    if outcome.check == "error":
        return "" if observed and not raised else f"raised {raised!r}"
    if outcome.reason in ("modified", "shared", "not-repeatable"):
        signs = (" unmodified: False", " the same bits: False")
        return "" if printed and any(each in printed for each in signs) else f"nothing of the kind; raised {raised!r}"
    if outcome.observed is None:
        said = statement(outcome, where=False)
        # TensorFlow writes into some errors how its caller was called, which a script is not as a worker is.
        words = re.sub(r"^[\w.]+\.(?=\w+: )", "", raised.partition(" (most recent call last)")[0])
        return "" if words and words in said else f"raised {raised!r}, recorded {said!r}"
    if raised:
        return f"raised {raised}"
    if outcome.reason in ("wrong-shape", "wrong-dtype"):
        words = [word.rpartition(".")[2] for line in observed for word in (line.replace(", ", ",").split())]
        return "" if str(outcome.observed).replace(", ", ",") in words else f"{observed} instead of {outcome.observed}"
    numbers = [float(line.split()[0]) for line in observed]
    wanted = float(outcome.observed)
    return "" if any(str(each) == str(wanted) for each in numbers) else f"{numbers} instead of {wanted}"


def main() -> int:
    """Run all, one process each."""
    bad = total = 0
    for spec in sys.argv[1:] or SPECS:
        try:
            shown = findings(spec, all_cases=True)
        except UsageError as error:
            print(f"{spec}: {error}")
            bad += 1
            continue
        wrong = []
        for each in shown:
            said = problem(each.outcome, *run_bare(each.script))
            if said:
                wrong.append(f"  {each.outcome.case}, {each.outcome.dtype}, {each.outcome.check}: {said}")
        longest = max((len(re.sub(r'"[^"]{90,}"', "", each.script).splitlines()) for each in shown), default=0)
        print(
            f"{spec}: {len(shown) - len(wrong)} of {len(shown)} scripts show what is recorded; {longest} lines at most"
        )
        print(*wrong, sep="\n", end="\n" if wrong else "")
        bad += len(wrong)
        total += len(shown)
    print(f"{total} scripts, {bad} wrong")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

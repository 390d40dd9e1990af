"""A run in which some cases meet their kind of fault: what the run says of each, of the others, and what it leaves."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.model.verdicts import NONCONFORMING
from conformance.places import ROOT
from tests.faults import backend  # noqa: F401  # it fills the table
from tests.faults.table import KINDS, STEP, Kind
from tests.faults.whole import Whole

__all__ = ["MARK", "Trial", "conformance", "left_behind", "trial", "trial_of_wholes"]

MARK = "CONFORMANCE_FAULTS"  # in the environment of everything that a trial starts
CHECKS = ("value", "gradient", "unmodified", "repeatable", "probability-sum")
PATIENCE = 600  # seconds for a whole run


@dataclass(frozen=True)
class Trial:
    """What came of a run: ``problems`` says what is not as it must be, by the name of the kind or the run's."""

    problems: list[tuple[str, str]]
    outcomes: list[dict[str, Any]]
    printed: str
    seconds: float


def trial(kinds: Sequence[Kind], folder: Path, *options: str) -> Trial:
    """Run the cases of ``kinds``, each between two sound ones, and look at all that comes of it."""
    folder.mkdir(parents=True, exist_ok=True)
    cases = [_case(f"sound-{place}", -1 - place) for place in range(2 * len(kinds) + 2)]
    for place, each in enumerate(kinds):
        cases.insert(3 * place + 2, _case(_id(each), KINDS.index(each) + 1))
    (folder / "cases.yaml").write_text(json.dumps({"theme": "faults", "cases": cases}), encoding="utf-8")
    spec = f"tests.faults.backend:{'FaultyTorch' if kinds[0].group == 'torch' else 'Faulty'}"
    limit = min(each.seconds for each in kinds)
    options = ("--memory-limit", "0.5", *options) if kinds[0].group == "memory" else options
    words = ["run", "-b", spec, "--cases", "cases.yaml", "--output", "out", "--jobs", "1"]
    begin = time.perf_counter()
    code, printed, left = conformance(
        [*words, "--no-identities", "--restarts", "1000", "--timeout", str(limit), *options], folder
    )
    seconds = time.perf_counter() - begin
    outcomes = _outcomes(folder / "out" / "outcomes.jsonl")
    problems = [("the run", each) for each in (*left, *_printed(printed))]
    expected = 1 if any(each.exit_code == 1 for each in kinds) else max(each.exit_code for each in kinds)
    if code != expected:
        problems.append(("the run", f"exit code {code} where {expected} is due"))
    for each in kinds:
        problems += ((each.name, problem) for problem in _wrong(each, outcomes))
    for case in (each["id"] for each in cases if each["id"].startswith("sound-")):
        found = _verdicts(case, outcomes)
        if found != dict.fromkeys(CHECKS, "pass"):
            problems.append((case, f"a sound case is {found or 'missing'}"))
    return Trial(problems, outcomes, printed, seconds)


def trial_of_wholes(wholes: Sequence[Whole], folder: Path, *options: str) -> Trial:
    """Run sound cases on backends that are wrong whatever they are asked, and look at all that comes of it.

    They have the exit code and the options in common.
    """
    ((due, shared),) = {(each.exit_code, each.options) for each in wholes}
    folder.mkdir(parents=True, exist_ok=True)
    cases = [_case(f"sound-{place}", -1 - place) for place in range(6)]
    (folder / "cases.yaml").write_text(json.dumps({"theme": "faults", "cases": cases}), encoding="utf-8")
    specs = [word for each in wholes for word in ("-b", f"tests.faults.whole:{each.name}")]
    words = ["run", *specs, "--cases", "cases.yaml", "--output", "out", "--jobs", "1", "--no-identities"]
    begin = time.perf_counter()
    code, printed, left = conformance([*words, *shared, *options], folder)
    seconds = time.perf_counter() - begin
    outcomes = _outcomes(folder / "out" / "outcomes.jsonl")
    problems = [("the run", each) for each in (*left, *_printed(printed))]
    if code != due:
        problems.append(("the run", f"exit code {code} where {due} is due"))
    for whole in wholes:
        own = [each for each in outcomes if each["backend"].endswith(f":{whole.name}")]
        found = {each["verdict"] for each in own}
        if whole.verdicts and found != whole.verdicts:
            problems.append((whole.name, f"{sorted(found)} where {sorted(whole.verdicts)} is due"))
        # One backend is enough for the run's exit code: each must give its own reason.
        if due == 1 and not found & NONCONFORMING:
            problems.append((whole.name, f"nothing is held against it: {sorted(found)}"))
        if due == 3 and not found <= {"not run", "error"}:
            problems.append((whole.name, f"{sorted(found)} of a backend that does not start"))
        if due != 3 and {each["case"] for each in own} != {each["id"] for each in cases}:
            problems.append((whole.name, "cases are missing"))
        if whole.says not in printed:
            problems.append((whole.name, f"does not say {whole.says!r}"))
    return Trial(problems, outcomes, printed, seconds)


def _printed(printed: str) -> list[str]:
    """What no run prints, whatever becomes of its backends."""
    found = ["prints a traceback"] if "\nTraceback" in f"\n{printed}" else []
    return found + ["prints a workflow command"] * any(line.startswith("::") for line in printed.splitlines())


def conformance(words: Sequence[str], folder: Path, patience: float = PATIENCE) -> tuple[int, str, list[str]]:
    """A command run in ``folder``: its exit code, what it prints, and what it leaves behind."""
    token, temporary = secrets.token_hex(8), folder / "tmp-faults"
    temporary.mkdir(exist_ok=True)
    environment = os.environ | {MARK: token, "TMPDIR": str(temporary), "PYTHONPATH": str(ROOT)}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "conformance", *words],
            cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=patience, check=False,
        )  # fmt: skip
        code, printed = done.returncode, done.stdout + done.stderr
    except subprocess.TimeoutExpired:
        code, printed = -1, "the run did not end"
    left = [f"leaves the process {each}" for each in left_behind(token)]
    left += [f"leaves {each.name} in the temporary folder" for each in folder.glob("tmp-faults/*")]
    for each in Path("/dev/shm").glob(f"*conformance-{token}*"):
        left.append(f"leaves {each} in memory")
        each.unlink(missing_ok=True)
    return code, printed, left


def left_behind(token: str) -> list[str]:
    """The processes that carry the token of a trial; they are ended."""
    for _ in range(100):  # what has been killed may be there for a moment yet
        found = list(_carrying(token.encode()))
        if not found:
            return []
        time.sleep(0.1)
    for pid, _ in found:
        os.kill(pid, 9)
    return [name for _, name in found]


def _carrying(token: bytes) -> Any:
    for place in Path("/proc").iterdir():
        if place.name.isdigit() and int(place.name) != os.getpid():
            try:
                words, variables = (place / "cmdline").read_bytes(), (place / "environ").read_bytes()
                state = (place / "stat").read_text(errors="replace").rpartition(")")[2].split()[0]
            except OSError:
                continue
            if token in words + variables and state != "Z":
                yield int(place.name), words.replace(b"\0", b" ").decode(errors="replace").strip()


def _id(kind: Kind) -> str:
    return "".join(each if each.isalnum() else "-" for each in kind.name.lower()).strip("-")


def _case(name: str, first: int) -> dict[str, Any]:
    logits = [[first * STEP, 0.5, -1.0]]
    shared = {"why": "a case of its own", "op": "softmax", "axis": 1, "dtypes": ["float64"], "layouts": ["contiguous"]}
    return {"id": name, "logits": logits} | shared


def _outcomes(file: Path) -> list[dict[str, Any]]:
    records = map(json.loads, file.read_text(encoding="utf-8").splitlines()) if file.is_file() else ()
    return [each for each in records if each["record"] == "outcome"]


def _verdicts(case: str, outcomes: Sequence[dict[str, Any]]) -> dict[str, str]:
    return {each["check"]: each["verdict"] for each in outcomes if each["case"] == case}


def _wrong(kind: Kind, outcomes: Sequence[dict[str, Any]]) -> list[str]:
    found = {check: verdict for check, verdict in _verdicts(_id(kind), outcomes).items() if verdict != "pass"}
    if not _verdicts(_id(kind), outcomes):
        return ["its case is missing"]
    if found != kind.expected:
        return [f"{found or 'passes'} where {kind.expected or 'a pass'} is due"]
    recorded = next((each for each in outcomes if each["case"] == _id(kind) and each["verdict"] != "pass"), {})
    error = f"{recorded.get('error', {}).get('type', '')}: {recorded.get('error', {}).get('text', '')}"
    return [] if kind.error in error else [f"{error[:200]!r} does not name {kind.error!r}"]

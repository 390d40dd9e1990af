"""The examples of README and docs: files are written as shown, and commands run as shown."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from conformance.places import ROOT
from tests.support.cli import Run

DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: GitHub drops these from a heading's anchor.
DROPPED = re.compile(r"[^\w\- ]")


@dataclass(frozen=True)
class Command:
    """A command after a ``$`` prompt: it ends with 0, unless its fence states ``exit=1``.

    What its fence states by ``says="..."`` is in its output, and in the document's text; ``…`` stands for any text.
    """

    line: str
    exits: int
    says: str


def _examples(document: Path) -> tuple[dict[str, str], list[Command]]:
    """The files that a document shows, and its commands."""
    files, commands = {}, []
    text = document.read_text(encoding="utf-8")
    for language, info, body in FENCE.findall(text):
        if named := re.search(r"file=(\S+)", info):
            files[named[1]] = body
        elif language == "console":
            stated = dict(each.split("=", 1) for each in shlex.split(info))
            facts = (int(stated.get("exit", 0)), stated.get("says", ""))
            assert facts[1] in FENCE.sub("", text), f"{document.name} does not say {facts[1]}"
            commands += [Command(line[2:], *facts) for line in body.splitlines() if line.startswith("$ ")]
    return files, commands


def _parameter(document: Path) -> Any:
    """A document, marked where its commands name a framework."""
    needed = any(re.search(r"-b (torch|jax|optax|tensorflow)\b", each.line) for each in _examples(document)[1])
    return pytest.param(document, marks=[pytest.mark.framework] if needed else [], id=document.name)


ONE_DTYPE = ("--dtype", "float32")
#: What is added to a command whose whole takes long: `tests/integration/cli/test_quick_run.py` runs a whole quick
#: selection, `tox run -e lint` reads all cases and registers, the README shows a run of benchmarks with its report, and
#: docs/fleet.md runs all worked examples in all dtypes.
SHORTER = {
    'conformance run -b numpy -k "random or worked-examples" --random 50 --seed 7 --output fresh': ONE_DTYPE,
    "conformance run -b numpy -k worked-examples --output first": ONE_DTYPE,
    "conformance run -b numpy -k worked-examples --output results/numpy --replace": ONE_DTYPE,
    "conformance bench -b numpy --quick -k latency --replicates 1": ("--no-report",),
    "conformance bench -b numpy --workloads mine.yaml --replicates 2 --seed 1": ("--no-report",),
    "conformance run --quick -b my_kernel.py": ("-k", "log_softmax and stability"),
    "conformance lint": (str(ROOT / "cases" / "worked-examples"),),
}
#: docs/data.md has a test of its own, which runs its commands too.
WITH_EXAMPLES = [_parameter(each) for each in DOCUMENTS if any(_examples(each)) and each.name != "data.md"]


@pytest.mark.slow
@pytest.mark.first
@pytest.mark.parametrize("document", WITH_EXAMPLES)
def test_examples_run_as_shown(
    document: Path, conformance: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The suite's own verbs in this process, which has imported already what each of them would import anew."""
    monkeypatch.setenv("COLUMNS", "120")
    files, commands = _examples(document)
    for name, body in files.items():
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(body, encoding="utf-8")
    for command in commands:
        program, *arguments = (*shlex.split(command.line), *SHORTER.get(command.line, ()))
        if program == "conformance":
            code, out, err = conformance(*arguments)
        else:
            assert program == "pytest", f"{document.name} shows a command that is not ours: {command.line}"
            code, out, err = _pytest(*arguments, folder=tmp_path)
        assert code == command.exits, f"{command.line}: {code}\n{out}\n{err}"
        assert all(part in out + err for part in command.says.split(" … ")), f"{command}\n{out}\n{err}"
        assert "Traceback" not in err
        assert out or err


def _pytest(*arguments: str, folder: Path) -> tuple[int, str, str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments], cwd=folder, env=environment, capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_what_is_shortened_is_shown() -> None:
    assert SHORTER.keys() <= {command.line for document in DOCUMENTS for command in _examples(document)[1]}


def test_links_between_documents_lead_somewhere() -> None:
    texts = {document: document.read_text(encoding="utf-8") for document in DOCUMENTS}
    prose = {
        document: re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL) for document, text in texts.items()
    }
    anchors = {document.resolve(): _anchors(text) for document, text in prose.items()}
    broken = []
    for document, text in prose.items():
        for link in re.findall(r"\]\(([^)\s]+)", text):
            place, _, anchor = link.partition("#")
            target = (document.parent / place if place else document).resolve()
            known = not anchor or anchor in anchors.get(target, {anchor})
            if "://" not in link and not (target.exists() and known):
                broken.append(f"{document.name}: {link}")
    assert not broken


def _anchors(text: str) -> set[str]:
    """What GitHub calls the headings; of the same ones the second ends in ``-1``."""
    found: Counter[str] = Counter()
    names = set()
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        shown = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        name = DROPPED.sub("", shown.strip().lower()).replace(" ", "-")
        names.add(f"{name}-{found[name]}" if found[name] else name)
        found[name] += 1
    return names

"""The examples of README and docs: files are written as shown, and commands run as shown."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conformance.places import ROOT
from tests.support.cli import Run

DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: Exit codes that a shown command may end with: some examples show a non-conformity.
CODES = {0, 1}


def _examples(document: Path) -> tuple[dict[str, str], list[str]]:
    """The files that a document shows, and the commands after its ``$`` prompts."""
    files, commands = {}, []
    for language, info, body in FENCE.findall(document.read_text(encoding="utf-8")):
        if named := re.search(r"file=(\S+)", info):
            files[named[1]] = body
        elif language == "console":
            commands += [line[2:] for line in body.splitlines() if line.startswith("$ ")]
    return files, commands


def _parameter(document: Path) -> Any:
    """A document, marked where its commands name a framework."""
    needed = any(re.search(r"-b (torch|jax|optax|tensorflow)\b", command) for command in _examples(document)[1])
    return pytest.param(document, marks=[pytest.mark.framework] if needed else [], id=document.name)


#: docs/data.md has a test of its own, which runs its commands too.
WITH_EXAMPLES = [_parameter(each) for each in DOCUMENTS if any(_examples(each)) and each.name != "data.md"]


@pytest.mark.slow
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
        program, *arguments = shlex.split(command)
        if program == "conformance":
            code, out, err = conformance(*arguments)
        else:
            assert program == "pytest", f"{document.name} shows a command that is not ours: {command}"
            code, out, err = _pytest(*arguments, folder=tmp_path)
        assert code in CODES, f"{command}\n{out}\n{err}"
        assert "Traceback" not in err
        assert out or err


def _pytest(*arguments: str, folder: Path) -> tuple[int, str, str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments], cwd=folder, env=environment, capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_links_between_documents_lead_somewhere() -> None:
    broken = []
    for document in DOCUMENTS:
        prose = re.sub(r"^```.*?^```$", "", document.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        for link in re.findall(r"\]\(([^)#\s]+)", prose):
            if "://" not in link and not (document.parent / link).exists():
                broken.append(f"{document.name}: {link}")
    assert not broken

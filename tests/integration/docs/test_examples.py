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


WITH_EXAMPLES = [_parameter(document) for document in DOCUMENTS if any(_examples(document))]


@pytest.mark.slow
@pytest.mark.parametrize("document", WITH_EXAMPLES)
def test_examples_run_as_shown(document: Path, tmp_path: Path) -> None:
    files, commands = _examples(document)
    for name, body in files.items():
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(body, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120"}
    for command in commands:
        words = shlex.split(command)
        assert words[0] in ("conformance", "pytest"), f"{document.name} shows a command that is not ours: {command}"
        done = subprocess.run(
            [sys.executable, "-m", *words], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode in CODES, f"{command}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        assert done.stdout or done.stderr


def test_links_between_documents_lead_somewhere() -> None:
    broken = []
    for document in DOCUMENTS:
        for link in re.findall(r"\]\(([^)#\s]+)", document.read_text(encoding="utf-8")):
            if "://" not in link and not (document.parent / link).exists():
                broken.append(f"{document.name}: {link}")
    assert not broken

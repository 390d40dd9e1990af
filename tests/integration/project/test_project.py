"""What stands twice in the project's own files is the same both times."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import conformance
from conformance.places import ROOT


def _hooks() -> list[dict[str, Any]]:
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    return local["hooks"]


def test_the_pre_commit_hooks_are_the_commands_of_the_lint_environment() -> None:
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini", encoding="utf-8")
    lines = tox["testenv:lint"]["commands"].replace("\\\n", " ").splitlines()
    assert [hook["entry"] for hook in _hooks()] == [" ".join(line.split()) for line in lines if line.strip()]


def test_the_pre_commit_hooks_use_the_versions_of_the_constraints() -> None:
    pinned = {line for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if "==" in line}
    used = {dependency for hook in _hooks() for dependency in hook["additional_dependencies"]}
    assert used <= pinned
    (lint,) = [hook for hook in _hooks() if hook["entry"] == "python -m conformance lint"]
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    needed = {canonicalize_name(Requirement(each).name) for each in metadata["project"]["dependencies"]}
    installed = {canonicalize_name(Requirement(each).name) for each in lint["additional_dependencies"]}
    assert installed == needed - {"duckdb", "pandas"}  # which the reports alone import


def test_the_version_is_that_of_the_citation_and_of_the_changelog() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest
    assert citation["version"] == conformance.__version__ == newest[1]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("some-1.0-py3-none-any.whl", b"PK\x03\x04\x00\x00", "is binary"),
        ("cases/large.yaml", b"#" * 600_000, "has 600,000 bytes"),
        ("docs/images/large.png", b"\0" * 600_000, "has 600,000 bytes"),
    ],
)
def test_a_package_or_a_large_file_is_refused(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(content)
    (tmp_path / "fine.py").write_text("VALUE = 1\n", encoding="utf-8")
    subprocess.run(("git", "init", "--quiet"), cwd=tmp_path, check=True)
    subprocess.run(("git", "add", "."), cwd=tmp_path, check=True)
    ran = subprocess.run([sys.executable, ROOT / ".ci/tracked.py"], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 1
    assert ran.stderr.startswith(f"{name} {words}")
    assert "fine.py" not in ran.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# What is no file is left.\n", "some.py:1: `is no`"),
        ("def test_links_are_no_files() -> None: ...\n", "some.py:1: `are no`"),
        ("\nTELLS = 1\n", "some.py:2: `TELLS`"),
        (
            "# There is no file, which is no longer needed.\nfreedom_of = {'intelligence', 'recrew'}\n",
            "some.py:2: `freedom`",
        ),
    ],
)
def test_a_word_that_readers_do_not_expect_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "some.py").write_text(text, encoding="utf-8")
    subprocess.run(("git", "init", "--quiet"), cwd=tmp_path, check=True)
    subprocess.run(("git", "add", "."), cwd=tmp_path, check=True)
    ran = subprocess.run([sys.executable, ROOT / ".ci/words.py"], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 1
    assert ran.stderr.startswith(said) and len(ran.stderr.splitlines()) == 1

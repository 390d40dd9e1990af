"""Released versions of backends, each run in an environment of its own, and merged into one site."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

import msgspec

from conformance.model.errors import Place, UsageError
from conformance.places import ROOT
from conformance.plain import plural, say
from conformance.reports.nightly.folder import Folder

__all__ = ["LISTED", "Released", "read_released", "run_released"]

LISTED = Path(__file__).with_name("released.yaml")
#: Of each backend, a version's name to what pip installs for it.
Released = dict[str, dict[str, list[str]]]


def read_released(file: Path = LISTED) -> Released:
    """The versions that ``file`` lists. Raises UsageError where it has not the form of :data:`Released`."""
    from conformance.cases.yaml12 import read

    try:
        return msgspec.convert(read(file), Released)
    except msgspec.ValidationError as error:
        raise UsageError(str(error), place=Place(file), hint="write `backend: {version: [requirement]}`") from None


def run_released(folder: Folder, listed: Released, chosen: Sequence[str], arguments: Sequence[str]) -> int:
    """Run every version of the ``chosen`` backends, of all by default, and write the site; the gravest exit code.

    An environment that is there already is used again. ``arguments`` are passed on to ``conformance run``.
    Raises UsageError for a backend of which no version is listed.
    """
    for backend in chosen:
        if backend not in listed:
            raise UsageError(f"no version of {backend} is listed", hint=f"listed are {', '.join(listed)}")
    wanted = [(backend, version) for backend in chosen or listed for version in listed[backend]]
    code = 0
    for number, (backend, version) in enumerate(wanted, 1):
        say(f"versions: {backend} {version}, {number} of {len(wanted)}", err=True)
        python = _environment(folder.root / "environments" / f"{backend}-{version}")
        steps = [python, "-m", "conformance.reports.nightly"]
        where = ["--folder", folder.root, "--backend", backend, "--label", version]
        installed = _done([*steps, "install", *where, "--", *listed[backend][version]])
        code = max(code, installed or _done([*steps, "run", *where, "--", "--quiet", *arguments]))
    say(f"versions: {plural(len(wanted), 'run')} in {folder.runs}", err=True)
    written = _done([sys.executable, "-m", "conformance", "report", folder.runs, "--output", folder.site])
    return max(code, written)


def _environment(place: Path) -> Path:
    """The interpreter of an environment that has this suite, and nothing else yet."""
    python = place / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    if not python.exists():
        venv.create(place, with_pip=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        if code := _done([*pip, "--editable", ROOT]):
            shutil.rmtree(place)
            raise UsageError(f"pip ended with {code}", hint="run this in a checkout of the suite")
    return python


def _done(command: Sequence[object]) -> int:
    """The exit code. Constraints of the caller's, as tox sets them, would let pip find the pinned versions alone."""
    environment = {name: value for name, value in os.environ.items() if name != "PIP_CONSTRAINT"}
    return subprocess.run([str(word) for word in command], check=False, env=environment).returncode

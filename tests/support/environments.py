"""Small environments: a framework of one function as wheels in a folder, and virtual environments to install it in."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Mapping
from pathlib import Path

from conformance.places import ROOT

__all__ = ["CRASHING", "RIGHT", "WRONG", "Environment", "wheel"]

RIGHT = "def softmax(powers, total):\n    return powers / total\n"
WRONG = "def softmax(powers, total):\n    return powers / (total + 1)\n"
CRASHING = "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n"


def wheel(index: Path, version: str, text: str, requires: str = "") -> Path:
    """A wheel of ``tinyframe``, whose module is ``text``, in the folder ``index``."""
    index.mkdir(parents=True, exist_ok=True)
    path = index / f"tinyframe-{version}-py3-none-any.whl"
    about = f"tinyframe-{version}.dist-info"
    needs = f"Requires-Dist: {requires}\n" if requires else ""
    files = {
        "tinyframe.py": text,
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: tinyframe\nVersion: {version}\n{needs}",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in (*files, f"{about}/RECORD"))
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {**files, f"{about}/RECORD": record}.items():
            archive.writestr(name, content)
    return path


class Environment:
    """A virtual environment in ``folder``, without pip of its own: it has everything that this one has."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=False, symlinks=True)
        self.python = folder / "bin" / "python"
        own = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
        (own / "this.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")

    def nightly(self, *words: object, folder: Path, more: Mapping[str, str] | None = None) -> int:
        """A step of the nightly in this environment, in ``folder``; its exit code."""
        command = [str(self.python), "-m", "conformance.reports.nightly", *map(str, words)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PIP_NO_INDEX": "1", **(more or {})}
        done = subprocess.run(command, cwd=folder, env=environment, check=False, timeout=300, capture_output=True)
        sys.stdout.write(done.stdout.decode() + done.stderr.decode())
        return done.returncode

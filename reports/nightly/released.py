"""Released versions of frameworks, each run in an environment of its own, and merged into one site."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from conformance.model.errors import UsageError
from conformance.plain import command_line, plural, say
from conformance.profiles.load import profile_named
from conformance.reports.nightly.folder import Folder
from conformance.reports.nightly.frameworks import Framework
from conformance.results.store import read_run

__all__ = ["cases_of_registers", "run_released"]

#: Of the cases that an entry of a register names, those that are run: each shows the defect.
MOST = 3
#: What a run was asked for, beside its results: another request runs the version again.
ASKED = "asked.txt"


@dataclass(frozen=True)
class _Version:
    """One released version: what pip installs, and the run that it gives."""

    framework: str
    version: str
    backends: Sequence[str]
    requirements: Sequence[str]

    @property
    def name(self) -> str:
        return f"{self.framework}-{self.version}"


def run_released(
    folder: Folder, listed: Mapping[str, Framework], chosen: Sequence[str], arguments: Sequence[str]
) -> int:
    """Run the ``chosen`` versions (``jax``, ``jax-0.4.38``), all by default, and write the site; the gravest exit code.

    A version whose run is complete, and was asked for the same, is not run again. ``arguments`` are passed on to
    ``conformance run``; without any, the cases that the backends' registers name are run, in all dtypes.
    Raises UsageError for one that is not listed.
    """
    wanted = [*_chosen(listed, chosen)]
    code = 0
    for number, version in enumerate(wanted, 1):
        begun = f"versions: {version.name}, {number} of {len(wanted)}"
        asked = [*arguments] or _cases(version)
        made = folder.runs / version.name
        if _is_done(made, asked):
            say(f"{begun}: is done", err=True)
            continue
        say(begun, err=True)
        code = max(code, _run(folder, version, made, asked))
    say(f"versions: {plural(len(wanted), 'run')} in {folder.runs}", err=True)
    written = _done([sys.executable, "-m", "conformance", "report", folder.runs, "--output", folder.site])
    return max(code, written)


def cases_of_registers(backends: Sequence[str]) -> list[str]:
    """Ids that the registers of the backends name, some of each entry; of a pattern alone, its longest plain part."""
    found: dict[str, None] = {}
    for name in dict.fromkeys(backend.partition(":")[0] for backend in backends):
        for entry in profile_named(name).known:
            plain = [case for case in entry.cases if "*" not in case]
            parts = [max(case.split("*"), key=len) for case in entry.cases]
            found |= dict.fromkeys(islice(plain or filter(None, parts), MOST))
    return [*found]


def _chosen(listed: Mapping[str, Framework], chosen: Sequence[str]) -> Iterator[_Version]:
    versions = {
        framework: [
            _Version(framework, version, about.asked or about.backends, requirements)
            for version, requirements in about.versions.items()
        ]
        for framework, about in listed.items()
    }
    names = {**versions, **{each.name: [each] for found in versions.values() for each in found}}
    for name in chosen or versions:
        if not names.get(name):
            there = ", ".join(framework for framework, found in versions.items() if found)
            if chosen:
                raise UsageError(f"no version of {name} is listed", hint=f"listed are {there}")
        yield from names.get(name, [])


def _cases(version: _Version) -> list[str]:
    cases = cases_of_registers(version.backends)
    return ["-k", " or ".join(cases)] if cases else []


def _is_done(made: Path, asked: Sequence[str]) -> bool:
    try:
        same = (made / ASKED).read_text(encoding="utf-8") == command_line(*asked)
        footer = read_run(made).footer
    except (OSError, UsageError):
        return False
    return same and footer is not None and footer.complete


def _run(folder: Folder, version: _Version, made: Path, asked: Sequence[str]) -> int:
    environment = folder.root / "environments" / version.name
    shutil.rmtree(environment, ignore_errors=True)  # of a process that was killed: it may be half installed
    try:
        return _run_in(_environment(environment), folder, version, made, asked)
    finally:
        shutil.rmtree(environment, ignore_errors=True)


def _run_in(python: Path, folder: Folder, version: _Version, made: Path, asked: Sequence[str]) -> int:
    install = [python, "-m", "conformance.reports.nightly", "install", "--folder", folder.root]
    about = ["--backend", version.framework, "--label", version.version]
    if code := _done([*install, *about, "--", "--quiet", *version.requirements]):
        return code
    named = [word for backend in version.backends for word in ("--backend", backend)]
    command = [python, "-m", "conformance", "run", *named, "--output", made, "--replace", "--details", "0", "--no-site"]
    code = _done([*command, "--quiet", *asked])
    if code <= 1:
        (made / ASKED).write_text(command_line(*asked), encoding="utf-8")
    return code


def _environment(place: Path) -> Path:
    """The interpreter of an environment that this one lends the suite and what it needs: its own packages go before.

    Not one of tox: the versions are data, which tox.ini would have to repeat as environments, each with the suite and
    its libraries installed anew. What pip installs here is what the version needs, and it is removed when it has run.
    """
    python = place / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    venv.create(place, with_pip=False, symlinks=True)
    own = Path(sysconfig.get_path("purelib", vars={"base": str(place), "platbase": str(place)}))
    lent = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    (own / "suite.pth").write_text(lent, encoding="utf-8")
    return python


def _done(command: Sequence[object]) -> int:
    """The exit code. Constraints of the caller's, as tox sets them, would let pip find the pinned versions alone."""
    environment = {name: value for name, value in os.environ.items() if name != "PIP_CONSTRAINT"}
    return subprocess.run([str(word) for word in command], check=False, env=environment).returncode

"""The command line of the nightly."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from conformance.commands import run_command
from conformance.model.errors import UsageError
from conformance.reports.nightly import steps
from conformance.reports.nightly.folder import Folder
from conformance.reports.nightly.frameworks import LISTED, read_frameworks
from conformance.reports.nightly.released import run_released

__all__ = ["main"]

#: Where everything is kept, by default.
DEFAULT = Path("results/nightly")


_folder = click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=DEFAULT,
    show_default=True,
    metavar="DIR",
    help="Where runs, reports and history are kept.",
)
_backends = click.option(
    "-b", "--backend", "backends", multiple=True, metavar="SPEC", help="Repeat for several; all installed by default."
)
_label = click.option(
    "--label", default="", metavar="NAME", help="What distinguishes a backend's runs, such as its version."
)
_run_options = click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[-- RUN OPTIONS]")
_summary = click.option(
    "--summary", type=click.Path(path_type=Path), metavar="FILE", help="Append the job summary to this file."
)
_annotate = click.option("--annotate", is_flag=True, help="Print GitHub annotations.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Run, compare with the night before, and publish. Exit codes as those of `conformance`."""


@cli.command("turn")
@_folder
def turn(folder: Path) -> int:
    """Begin a new night: the runs that are there become those of the night before."""
    Folder(folder).turn()
    return 0


@cli.command("install")
@_folder
@_backends
@_label
@click.argument("arguments", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- PIP OPTIONS")
def install(folder: Path, backends: tuple[str, ...], arguments: tuple[str, ...], label: str) -> int:
    """Install into this environment. Where that fails, the backends' runs say so, and the exit code is 1."""
    return steps.install(Folder(folder), backends, arguments, label)


@cli.command("run")
@_folder
@_backends
@_run_options
@_label
def run(folder: Path, backends: tuple[str, ...], arguments: tuple[str, ...], label: str) -> int:
    """Run the cases, each backend as a run of its own in DIR/runs."""
    return steps.run(Folder(folder), backends, arguments, label)


@cli.command("job")
@_folder
@click.argument("name", metavar="FRAMEWORK-VERSION")
@_run_options
def job(folder: Path, name: str, arguments: tuple[str, ...]) -> int:
    """Install a framework into this environment, from the checkout that is the working directory, and run its backends.

    FRAMEWORK is one of frameworks.yaml, VERSION pinned, latest or pre-release, as in jax-pinned; the name of tox's
    environment, nightly-jax-pinned, will do. Exits with 0 where it has done its work, whatever the runs say: the
    comparison shows what is new.
    """
    framework, _, version = name.removeprefix("nightly-").partition("-")
    listed = read_frameworks()
    if framework not in listed or version not in steps.VERSIONS:
        frameworks, versions = ", ".join(listed), ", ".join(steps.VERSIONS)
        raise UsageError(f"no job '{name}'", hint=f"name one of {frameworks}, and one of {versions}, as in jax-pinned")
    return steps.job(Folder(folder), listed[framework], version, arguments)


@cli.command("versions")
@_folder
@click.option(
    "-b",
    "--backend",
    "chosen",
    multiple=True,
    metavar="NAME",
    help="A framework, or one of its versions, as jax or jax-0.4.38. Repeat for several; all by default.",
)
@click.option(
    "--listed",
    type=click.Path(path_type=Path),
    default=LISTED,
    show_default="frameworks.yaml beside this program",
    metavar="FILE",
    help="Which versions there are.",
)
@_run_options
def versions(folder: Path, chosen: tuple[str, ...], listed: Path, arguments: tuple[str, ...]) -> int:
    """Run released versions, each in an environment of its own, and merge them; a complete run is not repeated.

    Without RUN OPTIONS, the cases that the registers name are run. The page *Versions* of DIR/site shows the first and
    last version that shows each defect. To be run in a checkout.
    """
    return run_released(Folder(folder), read_frameworks(listed), chosen, arguments)


@cli.command("export")
@_folder
@_summary
@_annotate
def export(folder: Path, summary: Path | None, annotate: bool) -> int:
    """Merge the runs: DIR/site, and JUnit and tables in DIR/exports."""
    return steps.export(Folder(folder), summary, annotate=annotate)


@cli.command("diff")
@_folder
def diff(folder: Path) -> int:
    """Compare with the night before: DIR/diff.md, and DIR/issue.md when something newly fails."""
    code = steps.compare(Folder(folder))
    steps.write_issue(Folder(folder), code)
    return code


@cli.command("history")
@_folder
def history(folder: Path) -> int:
    """Add this night to the history."""
    return steps.keep(Folder(folder))


@cli.command("all")
@_folder
@_backends
@_run_options
@_summary
@_annotate
def whole(
    folder: Path, backends: tuple[str, ...], arguments: tuple[str, ...], summary: Path | None, annotate: bool
) -> int:
    """All steps, one after the other. Exits with the code of the comparison, or of a step that could not be done.

    Non-conformities alone do not fail a night that has one before it: what counts then is what is new.
    """
    night = Folder(folder)
    night.turn()
    ran = steps.run(night, backends, arguments)
    if ran > 1:
        return ran
    failed = steps.export(night, summary, annotate=annotate)
    compared = steps.compare(night)
    steps.write_issue(night, compared)
    kept = steps.keep(night)
    first = not night.has_previous()
    return max(failed, kept, compared, ran if first else 0)


def main(arguments: Sequence[str]) -> int:
    """Run a step; errors go to standard error in words."""
    return run_command(cli, arguments, "python -m conformance.reports.nightly")

"""The command line: a module per verb, loaded when the verb is used."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

import click

from conformance import __version__
from conformance.commands import run_command
from conformance.model.errors import UsageError

__all__ = ["cli", "main"]

#: Verb to one line of help; the module of the same name in this package defines ``command``.
VERBS = {
    "run": "Run the cases on backends and judge every result.",
    "bench": "Time backends on workloads, beside the error of their results.",
    "explain": "Derive a case's exact value, line by line.",
    "report": "Merge runs and write their report.",
    "diff": "Show what changed between two runs.",
    "export": "Write the cases for kernels that run without Python.",
    "import": "Write the tests of other projects as case files.",
    "judge": "Judge a kernel by the results that it wrote for exported cases.",
    "fuzz": "Search for failures that no case was written for.",
    "repro": "Write a stand-alone script that reproduces a finding.",
    "dossier": "Write a file of its defects for each framework.",
    "history": "Keep every run in one file, and show what changed.",
    "list": "List cases, backends, flags, policies, defects, verdicts, themes, layouts or schemas.",
    "lint": "Check case files, expected values and profiles.",
    "fill": "Compute missing expected values into case files.",
    "worker": "Do the work of runs on other machines.",
    "smoke": "Check that an adapter is sound before a full run.",
}
#: Verbs whose module cannot have their name, which Python keeps for itself.
_MODULES = {"import": "importing"}


class _Verbs(click.Group):
    """A group that imports a verb's module only when the verb is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*VERBS]  # `list` is a module of this package once the verb is loaded

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"conformance.cli.{_MODULES.get(cmd_name, cmd_name)}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([*VERBS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        import difflib

        if args and args[0] not in VERBS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], VERBS, n=1)
            guess = f"did you mean {near[0]!r}? " if near else ""
            raise UsageError(f"there is no verb {args[0]!r}", hint=f"{guess}the verbs are {', '.join(VERBS)}")
        return super().resolve_command(ctx, args)


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="conformance")
def cli() -> None:
    """Check softmax cross-entropy implementations against exact values, within derived error bounds.

    Exit codes: 0 conforming; 1 a non-conformity; 2 wrong usage or case file; 3 the harness or a backend failed, or
    nothing was checked; 130 interrupted.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; errors go to standard error in words, never as a traceback."""
    return run_command(cli, arguments)


def entry() -> None:
    """The console script."""
    # NumPy's BLAS starts a thread for each core, and all of them spin at first: here, where nothing is multiplied, they
    # cost more than NumPy itself. Not in os.environ, which guarded processes inherit, and which is recorded.
    if "OPENBLAS_NUM_THREADS" not in os.environ:
        os.putenv("OPENBLAS_NUM_THREADS", "1")
    sys.exit(run_command(cli, ends=True))

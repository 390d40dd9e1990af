"""How a command ends: its exit code, and what is wrong in words on standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from conformance.model.errors import HarnessError, UsageError

__all__ = ["answer"]


def answer(command: click.Command, arguments: Sequence[str] | None = None, name: str | None = None) -> int:
    """The exit code of ``command``, called by ``name``; it raises nothing, and says what is wrong."""
    try:
        result: Any = command.main(
            args=None if arguments is None else [*arguments], prog_name=name, standalone_mode=False
        )
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except UsageError as error:
        click.echo(f"error: {error}", err=True)
        return 2
    except HarnessError as error:
        click.echo(f"error: {error}", err=True)
        return 3
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return 130
    except BrokenPipeError:
        # The reader has gone, as `head` does: what is still buffered goes nowhere, also when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:  # the harness's own fault: said in words, with the way to the details
        if os.environ.get("CONFORMANCE_TRACEBACK"):
            raise
        message = f"internal error: {type(error).__name__}: {error}\n  hint: this is a fault of the suite; "
        click.echo(f"{message}set CONFORMANCE_TRACEBACK=1 to see where, and report it", err=True)
        return 3

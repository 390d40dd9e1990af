"""How a command ends: whatever is raised in it, and wherever a signal meets it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator

import click
import pytest

from conformance.commands import run_command
from conformance.model.errors import HarnessError, UsageError


@pytest.fixture(autouse=True)
def usual_signals() -> Iterator[None]:
    """As in a process of one's own: one that was started in the background ignores some."""
    handlers = dict.fromkeys((signal.SIGTERM, signal.SIGHUP), signal.SIG_DFL) | {
        signal.SIGINT: signal.default_int_handler
    }
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def ends(body: Callable[[], object]) -> int:
    return run_command(click.Command("verb", callback=body), [])


def raising(error: BaseException) -> Callable[[], object]:
    def body() -> object:
        raise error

    return body


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (UsageError("no such thing", hint="name it"), 2, "error: no such thing\n  hint: name it\n"),
        (HarnessError("the disk is full"), 3, "error: the disk is full\n"),
        (click.UsageError("so not"), 2, "so not"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (BrokenPipeError(), 141, ""),
        (OSError(28, "No space left on device"), 3, "cannot be written: No space left on device"),
        (OSError(2, "No such file", "x"), 3, "internal error: FileNotFoundError"),
        (OSError(13, "Permission denied", "x"), 3, "error: x cannot be used: Permission denied\n  hint: see its"),
        (OSError(36, "File name too long", "x"), 2, "error: x cannot be used: File name too long\n  hint: give a"),
        (ValueError("\x1b[31m\n::error::x \udc80"), 3, "ValueError: \\x1b[31m\n:\u2060:error::x \\udc80\n  hint: "),
    ],
)
def test_every_error_has_its_code_and_words(
    error: BaseException, code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ends(raising(error)) == code
    said = capsys.readouterr()
    assert said.out == "" and words in said.err and "Traceback" not in said.err


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (click.IntRange(min=0), "'abc' is not a valid integer."),
        (click.FloatRange(min=0), "'abc' is not a valid float."),
    ],
)
def test_a_word_in_place_of_a_number(kind: click.ParamType, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    verb = click.Command("verb", params=[click.Option(["--seed"], type=kind)], callback=lambda seed: None)
    assert run_command(verb, ["--seed", "abc"]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_of_which_a_library_makes_another_error(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    def body() -> None:
        try:
            signal.raise_signal(number)
        except KeyboardInterrupt:
            raise RuntimeError("the query was interrupted") from None

    before = signal.getsignal(number)
    assert ends(body) == 130 and capsys.readouterr().err == "interrupted\n"
    assert signal.getsignal(number) is before

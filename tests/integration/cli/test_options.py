"""Options that hold no value which can be used: each verb says so in one way."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import click
import pytest

from conformance.cli import cli
from tests.support.cli import Run, verbs


def _numbers() -> Iterator[tuple[str, ...]]:
    """Every option of every verb that takes a number with a point, as the words that name it."""
    for words in verbs():
        command: click.Command | None = cli
        for word in words:
            assert isinstance(command, click.Group)
            command = command.get_command(click.Context(command), word)
        assert command is not None
        for each in command.params:
            if isinstance(each, click.Option) and isinstance(each.type, click.types.FloatParamType):
                yield (*words, each.opts[0])


@pytest.mark.parametrize("words", [*_numbers()], ids=" ".join)
@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1e400"])
def test_a_number_is_finite(conformance: Run, words: tuple[str, ...], number: str) -> None:
    ran = conformance(*words[:-1], f"{words[-1]}={number}")
    assert ran.code == 2 and not ran.out
    assert words[-1] in ran.err and ("in the range" in ran.err or "is not a finite number" in ran.err)


def test_more_jobs_than_files_are_refused(conformance: Run) -> None:
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most == resource.RLIM_INFINITY:
        pytest.skip("this process may have any number of files open")
    ran = conformance("run", "-b", "numpy", "--jobs", most)
    assert ran.code == 2 and f"--jobs {most} needs more open files" in ran.err and "hint: name at most" in ran.err


def test_processes_of_this_machine_have_no_scheduler(conformance: Run) -> None:
    ran = conformance("run", "-b", "numpy", "--executor", "local", "--scheduler", "tcp://127.0.0.1:1")
    assert ran.code == 2 and "--executor local has no scheduler" in ran.err and "hint: leave out" in ran.err


@pytest.mark.parametrize("verb", ["run", "worker"])
def test_a_scheduler_without_an_address_is_none(conformance: Run, verb: str) -> None:
    ran = conformance(verb, "--scheduler", "")
    assert ran.code == 2 and "the address is empty" in ran.err and "--scheduler" in ran.err

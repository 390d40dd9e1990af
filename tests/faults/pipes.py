"""Kinds that write where only the harness writes, or close what it needs."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from tests.faults.table import kind


def _descriptors() -> tuple[int, int]:
    """Where the process reads its calls, and where it writes its answers."""
    words = Path("/proc/self/cmdline").read_bytes().split(b"\0")
    place = words.index(b"conformance.worker.child")
    return int(words[place + 1]), int(words[place + 2])


@kind("crash", "ForgedAnswer", group="deaths")
def writes_nonsense(value: Any, logits: Any) -> Any:
    """Bytes into the pipe of the answers."""
    os.write(_descriptors()[1], b"\x03\0\0\0\0\0\0\0abc")
    return value


@kind("crash", "ForgedAnswer", group="deaths")
def forges_an_answer(value: Any, logits: Any) -> Any:
    """A well-formed answer to a call that it guessed."""
    from conformance.worker import wire

    result = wire.Result("float64", (1, 3), bytes(24))
    os.write(_descriptors()[1], wire.framed(wire.Answer(12345, {"value": result})))
    return value


@kind("crash", "ForgedAnswer", group="deaths")
def announces_an_endless_frame(value: Any, logits: Any) -> Any:
    """A frame of 2⁶³ bytes."""
    os.write(_descriptors()[1], b"\0\0\0\0\0\0\0\x7f" + b"x" * 100)
    return value


@kind("crash", "ForgedAnswer", group="deaths")
def pretends_a_float_of_a_thousand_axes(value: Any, logits: Any) -> Any:
    """An answer whose shape no array has."""
    from conformance.worker import wire

    result = wire.Result("float64", (1,) * 1000, bytes(8))
    os.write(_descriptors()[1], wire.framed(wire.Answer(12345, {"value": result})))
    return value


# Whether such a process has ended by itself when that is seen is a race; both are a crash of this call.
@kind("crash", "the backend's process", group="deaths")
def closes_the_pipe_of_answers(value: Any, logits: Any) -> Any:
    """The answer has nowhere to go."""
    os.close(_descriptors()[1])
    return value


@kind("crash", "the backend's process", group="deaths")
def closes_every_descriptor(value: Any, logits: Any) -> Any:
    """Nothing is open any more."""
    os.closerange(0, 4096)
    return value


@kind("timeout", "TimeoutError", group="hangs", seconds=5.0)
def half_an_answer(value: Any, logits: Any) -> Any:
    """The beginning of a frame, and no end."""
    os.write(_descriptors()[1], b"\xff\0\0\0\0\0\0\0")
    time.sleep(3600)


@kind("crash", "the backend's process", group="deaths")
def closes_the_pipe_of_calls(value: Any, logits: Any) -> Any:
    """It answers, and can be asked nothing more."""
    os.close(_descriptors()[0])
    return value


@kind()
def does_not_wait_for_calls(value: Any, logits: Any) -> Any:
    """The pipes do not block any more: it would find no call where none has come yet."""
    for each in _descriptors():
        os.set_blocking(each, False)
    return value


@kind("crash", "ForgedAnswer", group="deaths")
def answers_twice(value: Any, logits: Any) -> Any:
    """A forked child goes on as it does, and answers, too."""
    os.fork()
    return value


@kind("crash", "ClosedPipe", group="deaths")
def takes_the_answers_elsewhere(value: Any, logits: Any) -> Any:
    """The pipe of the answers leads to /dev/null."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), _descriptors()[1])
    return value


@kind()
def writes_to_both_outputs(value: Any, logits: Any) -> Any:
    """A megabyte to standard output and error, with escapes and workflow commands, from Python and below it."""
    print("\x1b[2J\n::error::not from the suite\n" * 10)
    os.write(1, b"::error::from below\n\xff\xfe")
    sys.stderr.write("x" * 1_000_000)
    return value


@kind(group="alone")
def closes_its_outputs(value: Any, logits: Any) -> Any:
    """Standard output and error are closed."""
    sys.stdout.close()
    os.closerange(1, 3)
    return value


@kind(group="state")
def has_no_outputs(value: Any, logits: Any) -> Any:
    """``sys.stdout`` and ``sys.stderr`` are None."""
    sys.stdout = sys.stderr = None  # type: ignore[assignment]
    return value


@kind()
def reads_its_input(value: Any, logits: Any) -> Any:
    """Asks whoever sits at the terminal: there is nobody."""
    assert os.read(0, 100) == b""
    return value


# Whether the answer that nobody asked for is read before the pipe is seen to be closed is a race.
@kind("crash", "the backend's process", group="deaths")
def gives_itself_calls(value: Any, logits: Any) -> Any:
    """The next batch comes from a pipe of its own."""
    from conformance.worker import wire

    orders, own = os.pipe()
    os.write(own, wire.framed(wire.BatchOrder(5, 0, 4096, [])))
    os.dup2(orders, _descriptors()[0])
    return value


@kind(group="alone", process="fail")
def is_taken_for_a_copy(value: Any, logits: Any) -> Any:
    """Its own number is another one to it."""
    os.getpid = lambda: 7  # type: ignore[assignment]
    return value


@kind("timeout", "TimeoutError", group="hangs", seconds=5.0)
def begins_anew(value: Any, logits: Any) -> Any:
    """``execv`` of the very command that it is."""
    words = Path("/proc/self/cmdline").read_bytes().split(b"\0")[:-1]
    for each in words[words.index(b"conformance.worker.child") + 1 :]:
        os.set_inheritable(int(each), True)
    os.execv(sys.executable, words)

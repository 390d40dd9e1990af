"""A stand-alone script is run under guard, and what it prints is harmless."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.repro.alone import output_of

CHILD = """\
import os, sys, time
read, write = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.write(write, str(os.getpid()).encode())
        time.sleep(600)
    os._exit(0)
print(os.read(read, 20).decode())
"""
DRIP = """\
import os, sys, time
while True:
    os.write(int(sys.argv[-2]), b"x")
    time.sleep(0.01)
"""
FLOOD = """\
import os, sys
while True:
    os.write(int(sys.argv[-2]), bytes(1 << 20))
"""
LARGE = """\
import os, sys, threading, time
def talk():
    while True:
        os.write(int(sys.argv[-2]), bytes(1 << 16))
if {talks}:
    threading.Thread(target=talk, daemon=True).start()
for _ in range(17):
    os.write({descriptor}, bytes(1 << 20))
while os.fstat({descriptor}).st_size > 1 << 20:
    time.sleep(0.01)
os.write(1, b"\\nit was cut\\n")
os._exit(0)
"""


@pytest.mark.parametrize(
    ("script", "printed"),
    [
        ("print('exact 1.5')", "exact 1.5"),
        ("import sys; print('a'); print('chatter', file=sys.stderr)", "a"),
        ("print('a'); raise ValueError('wrong')", "a\nValueError: wrong"),
        ("import os; os.write(1, b'\\xff raw\\n')", "\ufffd raw"),
        ("import os; os.abort()", "SIGABRT"),
        ("import sys; sys.exit(3)", "exit code 3"),
    ],
)
def test_what_is_printed_and_how_it_ends(script: str, printed: str) -> None:
    assert output_of(script) == printed


def test_commands_and_masses_do_not_get_through() -> None:
    text = output_of("print('::error::own'); print('\\x1b[31mred'); print('y' * 10_000_000)")
    assert text is not None and len(text) < 20_000
    text = output_of("print('::error::own'); print('\\x1b[31mred')")
    assert text is not None and "\x1b" not in text and not any(x.startswith("::") for x in text.splitlines())


def test_what_it_has_started_ends_with_it() -> None:
    child = output_of(CHILD)
    assert child is not None and child.isdigit() and not Path("/proc", child).exists()


@pytest.mark.parametrize("script", ["while True: pass", DRIP, FLOOD])
def test_one_that_does_not_end_is_ended(script: str) -> None:
    assert output_of(script, limit=0.3) is None


@pytest.mark.parametrize("descriptor", [1, 2])
@pytest.mark.parametrize("talks", [False, True])
def test_what_it_writes_to_the_disk_is_cut(descriptor: int, talks: bool) -> None:
    printed = output_of(LARGE.format(descriptor=descriptor, talks=talks), limit=30.0)
    assert printed is not None and printed.endswith("it was cut")

from __future__ import annotations

import io
import sys

import pytest

from conformance.run.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_plain_lines_come_every_tenth() -> None:
    stream = io.StringIO()
    with Progress({"torch": 1000, "jax": 5}, stream=stream) as progress:
        for _ in range(1000):
            progress.advance("torch")
        progress.advance("jax", 5, failed=2)
        progress.note("a note")
    lines = stream.getvalue().splitlines()
    assert len(lines) == 12
    assert lines[0] == "torch   10 %  100/1000" and lines[9] == "torch  100 %  1000/1000"
    assert lines[10] == "jax    100 %  5/5, 2 cases failed" and lines[11] == "a note"


def test_what_was_not_shown_is_shown_at_the_end() -> None:
    stream = io.StringIO()
    with Progress({"torch": 1000}, stream=stream) as progress:
        progress.advance("torch", 3)
        assert stream.getvalue() == ""
    assert stream.getvalue() == "torch    0 %  3/1000\n"


def test_quiet_is_silent_and_standard_error_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress({"torch": 1}, quiet=True) as progress:
        progress.advance("torch")
        progress.note("nothing")
    assert capsys.readouterr() == ("", "")
    with Progress({"torch": 1}) as progress:
        progress.advance("torch")
    assert capsys.readouterr() == ("", "torch  100 %  1/1\n")


def test_a_terminal_gets_bars() -> None:
    stream = Terminal()
    with Progress({"torch[cpu]": 2}, stream=stream) as progress:
        progress.advance("torch[cpu]", 2, failed=1)
        progress.advance("another")
        progress.note("[a note]")
    shown = stream.getvalue()
    assert (
        "torch[cpu]" in shown
        and "2/2" in shown
        and "1 case failed" in shown
        and "another" in shown
        and "[a note]" in shown
    )


def test_rich_is_imported_only_for_bars() -> None:
    import subprocess

    code = "import sys, io; from conformance.run.progress import Progress; Progress({'a': 1}, stream=io.StringIO()); "
    code += "sys.exit('rich' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""What is printed holds nothing that steers: also a command that a user may copy."""

from __future__ import annotations

import re
import shlex

import pytest

from conformance.places import ROOT
from conformance.plain import LONGEST, command_line


@pytest.mark.parametrize(
    "word",
    ["my kernel.py", "a.py; touch ran; #.py", "$(touch ran)", "`touch ran`", "it's", "a&b|c>d", "~/x", "cases/*", ""],
)
def test_a_word_of_a_command_stays_one(word: str) -> None:
    assert shlex.split(command_line("conformance", "run", "-b", word, "-q")) == ["conformance", "run", "-b", word, "-q"]


def test_a_word_that_is_spelled_out_or_cut_stays_one() -> None:
    assert shlex.split(command_line("a", "b\nc\x1b[31m", "d")) == ["a", "b\\nc\\x1b[31m", "d"]
    words = shlex.split(command_line("a", "; touch ran" * LONGEST, "d"))
    assert len(words) == 3 and words[2] == "d"


def test_no_command_is_printed_with_words_that_are_not_quoted() -> None:
    """Constants aside, a command with a value in it is made by ``command_line``."""
    unquoted = re.compile(r"""conformance [a-z]+ [^`"'\n]*\{(?![A-Z]+\}|shell_word\()""")
    files = [each for top in ("conformance", "backends", "reports") for each in (ROOT / top).rglob("*.py")]
    assert len(files) > 100
    assert [f"{file}: {found[0]}" for file in files for found in unquoted.finditer(file.read_text())] == []

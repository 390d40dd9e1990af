"""Plain text from anywhere: what is printed, or stands in a file that a machine reads, holds nothing that steers it.

Everything that a results file, a case or an exception holds may have been written by a stranger. What becomes Markdown
or HTML is escaped by the reports, on top of this.
"""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

__all__ = [
    "LONGEST",
    "blanked",
    "command_line",
    "json_text",
    "lines_on_terminal",
    "on_terminal",
    "plain",
    "plain_lines",
    "plural",
    "say",
    "shell_word",
    "steers",
]

LONGEST = 4000  # characters of one fact
#: What a CI runner takes as a command where a line begins with it; a wrapped line may begin with any word.
#: Each alternative begins with its letter, and is replaced by a function: a text without one costs a tenth.
_COMMAND = re.compile(r":(?<!\S:)(?=:)|#(?<!\S#)(?=#\[)")
_COMMAND_LINE = re.compile(r"^\s*(::|##\[)", re.MULTILINE)


def plain(text: object, longest: int = LONGEST) -> str:
    """``text`` on one line: control characters, line ends and lone surrogates are spelled out."""
    cut = str(text)
    if len(cut) > longest:
        cut = cut[: longest - 1] + "…"
    if cut.isprintable():
        return cut
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in cut)


def plain_lines(text: object) -> list[str]:
    """``plain`` of each line; none for empty text."""
    return [plain(line) for line in str(text)[:LONGEST].split("\n")] if text else []


def blanked(text: object) -> str:
    """``text`` on one line, a space for each character that does not print: for prose, where no spelling is wanted."""
    return "".join(c if c.isprintable() else " " for c in str(text))


def steers(text: str) -> bool:
    """Whether lines of code, printed as they are, would steer a terminal or a CI runner."""
    return _COMMAND_LINE.search(text) is not None or not re.sub(r"[\n\t]", "", text).isprintable()


def shell_word(text: object) -> str:
    """``plain``, as one word for a shell, whatever it holds."""
    return shlex.quote(plain(text))


def command_line(*words: object) -> str:
    """A command that a user may copy into a shell: each of its words stays one word."""
    return " ".join(map(shell_word, words))


def plural(number: int, what: str) -> str:
    """``1 case``, ``2,048 cases``."""
    return f"{number:,} {what}{'s' * (number != 1)}"


def on_terminal(text: object, longest: int = LONGEST) -> str:
    """``plain``, and no word that a CI runner would take as a command: a mark that does not show breaks it."""
    return _COMMAND.sub(lambda found: f"{found[0]}\u2060", plain(text, longest))


def lines_on_terminal(text: str) -> str:
    """``on_terminal`` of each line: for a text whose line ends are ours."""
    return "\n".join(map(on_terminal, text.split("\n")))


def say(text: object = "", *, err: bool = False, **style: Any) -> None:
    """Print lines whose ends are ours and whose words may be anybody's; coloured on a terminal, as click styles them.

    ``err`` is for standard error.
    """
    import click

    click.secho(lines_on_terminal(str(text)), err=err, **style)


def json_text(value: Any) -> str:
    """A JSON document for standard output: what does not print is escaped, lone surrogates too; NaN is null."""
    import msgspec

    whole = json.loads(json.dumps(msgspec.to_builtins(value)), parse_constant=lambda _: None)
    text = json.dumps(whole, indent=1, ensure_ascii=False)
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text) + "\n"

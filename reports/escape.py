"""Text that is not ours, made harmless in Markdown. HTML is escaped by the site's templates, after its ``visible``."""

from __future__ import annotations

import re
import textwrap

from conformance.plain import blanked

__all__ = ["address", "code", "escape", "fenced", "wrapped"]

LONGEST = 2000  # characters
_ADDRESS = re.compile(r"https?://[^\s<>|`]+")


def escape(text: object) -> str:
    """Text that changes nothing in a Markdown table: no markup, no cell border, no line break, no control character.

    What is very long is cut: a cell is read by people.
    """
    plain = blanked(text)
    plain = plain if len(plain) <= LONGEST else plain[: LONGEST - 1] + "…"
    for special in "\\`*_{}[]<>()#+!|~&$":
        plain = plain.replace(special, "\\" + special)
    return plain.replace("::", "\\::")  # at the begin of a line, a CI runner would take it as a command


def wrapped(text: str, indent: str = "") -> str:
    """Markdown prose at 100 characters a line; no line begins with what would make it a list, a heading or a quote."""
    bound = re.sub(
        r" (?=[-+](?!\d)|[>=#]|\d+[.)](?!\d))", "\0", re.sub(r"`[^`]*`", lambda span: span[0].replace(" ", "\0"), text)
    )
    return textwrap.fill(bound, 100, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False).replace(
        "\0", " "
    )


def address(text: str) -> str:
    """A link that shows where it leads, if ``text`` is an http(s) address; else the text, escaped."""
    return f"<{text}>" if _ADDRESS.fullmatch(text) and text.isprintable() else escape(text)


def code(value: object) -> str:
    """A number or a word as code; anything else as plain text, without a meaning in Markdown."""
    text = "".join(c for c in str(value) if c.isprintable() and c != "`")
    return f"`{text}`" if re.fullmatch(r"[\w.+\-/ ]{1,60}", text) else escape(text)


def fenced(text: str, language: str) -> str:
    """Text as a code block, whatever backquotes it holds."""
    longest = max((len(each) for each in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    lines = "\n".join(map(blanked, text.split("\n")))
    return f"{fence}{language}\n{lines.rstrip()}\n{fence}"

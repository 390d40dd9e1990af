"""Text that is not ours, made harmless in Markdown."""

from __future__ import annotations

__all__ = ["escape"]


def escape(text: object) -> str:
    """Text that changes nothing in a Markdown table: no markup, no cell border, no line break, no control character."""
    plain = "".join(c if c.isprintable() else " " for c in str(text))
    for special in "\\`*_{}[]<>()#+!|~&":
        plain = plain.replace(special, "\\" + special)
    return plain

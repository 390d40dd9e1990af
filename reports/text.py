"""Text for pages: nothing that comes from a results file can change a page, and numbers read alike everywhere."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from markupsafe import Markup, escape

__all__ = ["breakable", "figure", "link", "number", "prose", "visible"]

_SHOWN_ALONE = frozenset("\n\t")
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_LINK = re.compile(r"https?://[^\s<>\"'`\\]+")
_THREAD = re.compile(r"([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)#([0-9]{1,9})")
_CODE = re.compile(r"`{1,2}([^`]+)`{1,2}")
#: Significant digits with which a result of each dtype is shown: enough to distinguish neighbours in the narrow ones.
_DIGITS = {"float64": 12, "float32": 9, "float16": 5, "bfloat16": 4}
_LONGEST = 200


def visible(text: str) -> str:
    r"""The text with control, direction and unpaired characters spelled out: ``\x1b``, ``\u202e``, ``\udc80``."""
    if text.isprintable():
        return text
    return "".join(c if c in _SHOWN_ALONE or unicodedata.category(c) not in _UNSAFE else ascii(c)[1:-1] for c in text)


def link(text: str, words: str | None = None) -> Markup:
    """A link where ``text`` is an http(s) address or a thread such as ``owner/project#12``; else the text itself."""
    thread = _THREAD.fullmatch(text)
    url = f"https://github.com/{thread[1]}/issues/{thread[2]}" if thread else text
    shown = escape(visible(words or text))
    if not _LINK.fullmatch(url) or visible(url) != url:
        return shown
    return Markup('<a href="{}" rel="noreferrer">{}</a>').format(url, shown)


def prose(text: str) -> Markup:
    """A sentence in which words of code stand in backticks, single or double."""
    parts = _CODE.split(visible(text))  # words and code by turns
    return Markup("").join(Markup("<code>{}</code>").format(each) if n % 2 else each for n, each in enumerate(parts))


def breakable(name: str) -> Markup:
    """A name whose parts are joined by dots or underscores, where a line of a page may end after each of them."""
    return Markup("<wbr>").join(re.split(r"(?<=[._])", visible(name)))


def number(value: Any, dtype: str = "float64") -> str:
    """An observed or expected value: digits as the dtype deserves, lists spelled out, text as it is."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float | list):
        return _short(str(value))
    if isinstance(value, list):
        inside = ", ".join(number(each, dtype) for each in value[:4])
        return _short(f"[{inside}{', …' if len(value) > 4 else ''}]")
    return f"{value:.{_DIGITS.get(dtype, 12)}g}"


def figure(value: Any) -> str:
    """An error in ulp or over its bound, in three digits: ``0.31``, ``1.2e7``; empty for none."""
    if value is None:
        return ""
    try:
        size = float(value)
    except (TypeError, ValueError):
        return _short(str(value))
    if size != size:
        return "nan"
    if size in (float("inf"), float("-inf")):
        return "∞" if size > 0 else "−∞"
    text = f"{size:.3g}" if size >= 0.01 or size == 0 else f"{size:.2g}"
    return re.sub(r"e([+-])0*", lambda found: "e" + found[1].replace("+", ""), text)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"

"""A site that tests build of their runs, and its pages as a browser would see them."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from conformance.oracle.derived import derived
from conformance.reports.merge import merge
from conformance.reports.site.build import write_site

#: What our templates write.
SAFE_TAGS = frozenset(
    """html meta title link script body a header nav button main h1 h2 h3 h4 p b i small span ul li svg rect path
    circle section div table caption thead tbody tfoot tr th td details summary dl dt dd form label input select
    option noscript code pre article sub sup wbr figure img""".split()  # noqa: SIM905
)


class Page(HTMLParser):
    """Collects what a browser would see: tags, attributes, visible text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def site(folder: Path, *runs: Path, **options: Any) -> Path:
    return write_site(merge(runs), folder / "site", derive=derived, **options).parent


def page(folder: Path, name: str) -> Page:
    return Page((folder / name).read_text(encoding="utf-8"))


def findings(folder: Path) -> dict[str, Any]:
    text = (folder / "assets/findings.js").read_text(encoding="ascii")
    found = re.fullmatch(r"window\.conformanceFindings=(\{.*\});\n", text)
    assert found is not None
    return json.loads(found[1])


def cell(folder: Path, name: str) -> str:
    text = (folder / "index.html").read_text(encoding="utf-8")
    found = re.search(rf'<td id="{re.escape(name)}".*?>(.*?)(?=<td|<tr|</t)', text, re.DOTALL)
    assert found is not None
    return " ".join(Page(found[1]).text.split())

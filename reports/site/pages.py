"""Templates to files: everything that comes from data is escaped, and the folder holds nothing of an earlier site."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from conformance.disk import write
from conformance.model.errors import HarnessError
from conformance.model.verdicts import VERDICTS
from conformance.reports.columns import slug
from conformance.reports.matrix import SIGNS
from conformance.reports.render import content, html
from conformance.reports.text import breakable, figure, link, number, prose, visible

__all__ = ["Pages"]

_HERE = Path(__file__).resolve().parent
_LIST = "pages.txt"


class Pages:
    """Writes pages into ``folder``. HarnessError: the disk refuses; UsageError: a folder below ``below`` is a link."""

    def __init__(self, folder: Path, below: Path | None = None) -> None:
        self.folder = folder
        self._below = below or folder
        self._written: dict[str, None] = {}
        self._templates = _environment()

    def page(self, name: str, template: str, **context: Any) -> None:
        """Render ``template`` to the file ``name``, such as ``cases/some-case.html``."""
        root = "../" * name.count("/")
        self.write(name, self._templates.get_template(template).render(root=root, here=name, **context))

    def write(self, name: str, text: str) -> None:
        """Write a text file below the folder."""
        write(self.folder / name, text, below=self._below)
        self._written[name] = None

    def finish(self) -> None:
        """Copy style and script, and remove the pages of an earlier site that this one does not have.

        Raises HarnessError where these cannot be removed.
        """
        for asset in sorted((_HERE / "assets").iterdir()):
            self.write(f"assets/{asset.name}", asset.read_text(encoding="utf-8"))
        record = self.folder / "assets" / _LIST
        try:
            earlier = record.read_text(encoding="utf-8").splitlines() if record.is_file() else []
            for name in earlier:
                path = self.folder / name
                if name not in self._written and _is_own(name) and not path.parent.is_symlink() and path.is_file():
                    path.unlink()
        except (OSError, UnicodeDecodeError) as error:
            raise HarnessError(f"{self.folder}: pages of an earlier site cannot be removed: {error}") from None
        self.write(f"assets/{_LIST}", "\n".join(self._written) + "\n")


def _is_own(name: str) -> bool:
    """Whether a name is one that this module gives: a page in one of its folders."""
    folder, _, file = name.rpartition("/")
    page = folder in ("", "cases", "backends") and file.endswith(".html")
    picture = folder == "assets" and file.startswith("times-") and file.endswith(".svg")
    return (page or picture) and slug(file) == file


def _finalize(value: Any) -> Any:
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value)
    return value


@cache
def _environment() -> Environment:
    """With each template that it has compiled, for every site of a process."""
    made = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
        auto_reload=False,
    )
    helpers: list[Callable[..., Any]] = [link, slug, figure, number, prose, content, breakable]
    made.filters.update({each.__name__: each for each in helpers}, table=html)
    made.globals.update(ORDER=tuple(VERDICTS), SIGNS=SIGNS)
    return made

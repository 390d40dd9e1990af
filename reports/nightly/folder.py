"""Where the nightly keeps what: this night's runs, those of the night before, and what is made of them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from conformance.model.errors import HarnessError, UsageError
from conformance.results.store import FILE, read_run

__all__ = ["Folder"]


@dataclass(frozen=True)
class Folder:
    """``root`` holds everything: a run's folder for each backend (or matrix job) in ``runs``, and in ``previous``."""

    root: Path

    @property
    def runs(self) -> Path:
        """The runs of tonight, a folder each."""
        return self.root / "runs"

    @property
    def previous(self) -> Path:
        """The runs of the night before; it may be missing."""
        return self.root / "previous"

    @property
    def site(self) -> Path:
        """The report, ready to be published."""
        return self.root / "site"

    @property
    def exports(self) -> Path:
        """JUnit, tables and badges."""
        return self.root / "exports"

    @property
    def history(self) -> Path:
        """What is known of all nights."""
        return self.root / "history"

    @property
    def difference(self) -> Path:
        """What changed since the night before, as Markdown."""
        return self.root / "diff.md"

    @property
    def issue(self) -> Path:
        """The text of the issue to open: there is none when nothing newly fails."""
        return self.root / "issue.md"

    def turn(self) -> None:
        """A new night: this night's runs become those of the night before, and what was made of them goes.

        A night that was cut off before its first outcome leaves the night before as it was.
        """
        try:
            if self._usable(self.runs):
                shutil.rmtree(self.previous, ignore_errors=True)
                self.runs.replace(self.previous)
            else:
                shutil.rmtree(self.runs, ignore_errors=True)
            for made in (self.site, self.exports):
                shutil.rmtree(made, ignore_errors=True)
            for file in (self.difference, self.difference.with_suffix(".json"), self.issue):
                file.unlink(missing_ok=True)
        except OSError as error:
            raise HarnessError(f"{self.root} cannot be written: {error.strerror or error}") from None

    def has_previous(self) -> bool:
        """Whether there is a night before to compare with."""
        return self._usable(self.previous)

    @staticmethod
    def _usable(folder: Path) -> bool:
        for file in folder.glob(f"*/{FILE}"):
            try:
                if read_run(file).backends:
                    return True
            except UsageError:
                continue
        return False

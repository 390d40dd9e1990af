"""Where the nightly keeps what: this night's runs, those that they are compared with, and what is made of them."""

from __future__ import annotations

import shutil
from pathlib import Path

from conformance.model.errors import HarnessError, UsageError
from conformance.results.store import FILE, read_run

__all__ = ["Folder"]

#: Marks a run of ``previous`` that did not come back, or did not start, since.
MISSED = "missed"
ABSENT = "absent"


class Folder:
    """``root`` holds everything; ``runs`` and ``previous`` have a folder for each backend (or matrix job).

    ``previous`` holds, of each, the last run in which a backend started.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.runs = root / "runs"
        self.previous = root / "previous"
        self.site = root / "site"
        self.exports = root / "exports"
        self.history = root / "history"
        #: What changed since the night before, in Markdown and as JSON.
        self.difference = root / "diff.md"
        #: The text of the issue to open: there is none when nothing newly fails.
        self.issue = root / "issue.md"

    def turn(self) -> None:
        """A new night: this night's runs become what the next ones are compared with, and what was made of them goes.

        A run in which nothing started leaves the one before it as it was, marked: it is said once that it is missing,
        and whatever fails when it is back is compared with what was there before. One that is missing for two nights
        is not expected any more.

        Raises HarnessError where the folder cannot be written.
        """
        try:
            if self.runs.exists():
                for run in self._folders(self.previous):
                    absent, mark = not (self.runs / run.name).exists(), run / MISSED
                    if absent and mark.exists() and mark.read_text(encoding="utf-8") == ABSENT:
                        shutil.rmtree(run)
                    else:
                        mark.write_text(ABSENT if absent else "did not start", encoding="utf-8")
                for run in self._folders(self.runs):
                    kept = self.previous / run.name
                    if _started(run) or not kept.exists():
                        shutil.rmtree(kept, ignore_errors=True)
                        kept.parent.mkdir(parents=True, exist_ok=True)
                        run.replace(kept)
            for made in (self.runs, self.site, self.exports):
                shutil.rmtree(made, ignore_errors=True)
            for file in (self.difference, self.difference.with_suffix(".json"), self.issue):
                file.unlink(missing_ok=True)
        except OSError as error:
            raise HarnessError(f"{self.root} cannot be written: {error.strerror or error}") from None

    def missed(self, name: str) -> bool:
        """Whether a run of the night before was missing, or started nothing; it stands for an earlier one."""
        return (self.previous / name / MISSED).exists()

    def has_previous(self) -> bool:
        """Whether there is a night before to compare with."""
        return any(map(_started, self._folders(self.previous)))

    @staticmethod
    def _folders(folder: Path) -> list[Path]:
        return sorted(file.parent for file in folder.glob(f"*/{FILE}"))


def _started(run: Path) -> bool:
    """Whether any backend of a run started."""
    try:
        return any(not record.error for record in read_run(run).backends.values())
    except UsageError:
        return False

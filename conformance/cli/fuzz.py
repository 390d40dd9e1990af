"""``conformance fuzz``."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from conformance.cli.options import (
    PATH,
    POSITIVE,
    folder_option,
    format_option,
    quiet_option,
    schema_option,
    seconds_option,
    seed_option,
)
from conformance.model.errors import BackendUnavailable
from conformance.plain import json_text, on_terminal, plural, say

if TYPE_CHECKING:
    from conformance.fuzz.causes import Cause
    from conformance.fuzz.search import Search

__all__ = ["command"]

SECONDS = 60.0  # of a search that nothing else ends
EVERY = 5.0  # seconds between two lines of progress
RESTARTS = 200


@click.command(
    "fuzz",
    epilog="Examples: `conformance fuzz -b my_kernel.py --seconds 60`; "
    "`conformance fuzz -b torch --seed 7 --cases 2000 --corpus corpus`. "
    "Exit codes: 0 nothing found; 1 a failure; 2 wrong usage; 3 the adapter fails, or nothing was checked; "
    "130 interrupted.",
)
@click.option("-b", "--backend", "spec", required=True, metavar="SPEC", help="The backend, as `conformance run` takes.")
@click.option(
    "--seconds",
    type=POSITIVE,
    metavar="N",
    help=f"End after so long; after {SECONDS:g} seconds where neither this nor --cases is given.",
)
@click.option("--cases", "most", type=click.IntRange(min=1), metavar="N", help="End after so many new cases.")
@seed_option("The same seed asks the same cases in the same order; a new one is drawn and printed by default.")
@click.option(
    "--corpus",
    type=PATH,
    metavar="DIR",
    help="Begin with the cases and inputs in DIR, and keep there what came nearest to its bound or failed.",
)
@folder_option("Folder for the case files of what fails; that of --corpus, or results/fuzz-<time>, by default.")
@seconds_option("--timeout", 20.0, "Limit for one call.")
@seconds_option("--start-timeout", 180.0, "Limit for the backend's start-up (imports).")
@format_option("A summary for people, or one JSON object.", "text")
@quiet_option
@schema_option("fuzz")
def command(
    spec: str,
    seconds: float | None,
    most: int | None,
    seed: int | None,
    corpus: Path | None,
    output: Path | None,
    timeout: float,
    start_timeout: float,
    style: str,
    quiet: bool,
) -> int:
    """Search for wrong results that no case was written for, and make each of them small.

    Cases are drawn from all that a case file can say, weighted towards the edges: pairs of features that did not meet
    yet come first, and inputs whose error was near its bound are varied further. A failure is shrunk to the smallest
    case that still fails so, and written as a case file; failures of one cause are counted together. What a profile
    declares, or a register of known defects describes, is not a failure.
    """
    import secrets

    from conformance.disk import require_folder_place
    from conformance.fuzz.files import read_corpus
    from conformance.fuzz.search import Corpus, Search
    from conformance.places import folder_of_now
    from conformance.run.judged import open_backend
    from conformance.worker.find import find_backends
    from conformance.worker.limits import Limits

    given = read_corpus(corpus) if corpus else Corpus()
    if given.outdated:
        left = f"{plural(given.outdated, 'recipe')} of {on_terminal(corpus)} left out: not of this version's space"
        say(f"{left}; the file is written anew without them", err=True)
    folder = output or corpus or folder_of_now("fuzz-")
    require_folder_place(folder)
    (found,) = find_backends((spec,))
    seed = secrets.randbelow(2**31) if seed is None else seed
    limits = Limits(start=start_timeout, call=timeout, restarts=RESTARTS)
    with open_backend(found, limits=limits) as backend:
        try:
            search = Search(backend, seed, given, most)
        except BackendUnavailable as error:
            say(str(error), err=True)
            return 3
        watch = _Watch(seconds if seconds or most else SECONDS, quiet)
        interrupted = False
        try:
            watch.begin(search)
            search.run(watch.goes_on)
        except KeyboardInterrupt:
            interrupted = True
        except Exception:  # what was found before is not lost
            _ended(search, watch.spent, True, corpus, folder, style)
            raise
        return _ended(search, watch.spent, interrupted, corpus, folder, style)


class _Watch:
    """Says when the search has to end, and on standard error how far it is."""

    def __init__(self, seconds: float | None, quiet: bool) -> None:
        self._seconds, self._quiet = seconds, quiet
        self._begin = self._shown = time.monotonic()

    @property
    def spent(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._begin

    def begin(self, search: Search) -> None:
        """Say what is searched, and announce each cause."""
        record = search.backend.record
        versions = ", ".join(f"{name} {version}" for name, version in record.versions.items())
        search.causes.found = self._announce
        if not self._quiet:
            title = f"{record.name}: {versions} on {record.id.device}, {record.id.how}; seed {search.seed}"
            say(on_terminal(title), err=True)
        self._begin = self._shown = time.monotonic()

    def goes_on(self, search: Search) -> bool:
        """Whether there is time left."""
        if not self._quiet and time.monotonic() - self._shown >= EVERY:
            self._shown = time.monotonic()
            causes = len(search.causes.all)
            found = f", {plural(causes, 'cause')} of failure" if causes else ""
            say(
                f"{self.spent:6.0f} s  {search.asked:,} cases, {len(search.pairs):,} pairs of features{found}", err=True
            )
        return self._seconds is None or self.spent < self._seconds

    def _announce(self, cause: Cause) -> None:
        if not self._quiet:
            from conformance.fuzz.traits import shown

            unusual = ", ".join(shown(cause.traits)) or "nothing unusual"
            say(f"{self.spent:6.0f} s  {cause.kind}: {unusual}", err=True)


def _ended(search: Search, seconds: float, interrupted: bool, corpus: Path | None, folder: Path, style: str) -> int:
    """Write what was found, print it, and say how the command ends."""
    from conformance import __version__
    from conformance.disk import write
    from conformance.fuzz.files import CORPUS, corpus_text, write_cases
    from conformance.fuzz.report import exit_code, report_of, summary_lines

    files = write_cases(search, folder)
    if corpus:
        write(corpus / CORPUS, corpus_text(search))
    report = report_of(search, seconds, files, suite=__version__, interrupted=interrupted)
    if style == "json":
        sys.stdout.write(json_text(report))
    else:
        for line in summary_lines(report):
            say(line)
    return 130 if interrupted else exit_code(report)

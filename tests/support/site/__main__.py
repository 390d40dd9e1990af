"""The site's figures: ``python -m tests.support.site RUN...`` (default: results/all); prints them, asserts nothing."""

from __future__ import annotations

import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from conformance.oracle.derived import derived
from conformance.reports.merge import merge
from conformance.reports.site.build import write_site
from conformance.repro.script import reproducer
from tests.support.site.browser import launched, missing

REPEATS = 5
#: The slowest way through the filter: every row is looked at, and none or all of them fit.
QUERIES = ("float16", "a", "nothing has this", "")
FILTER = """query => {
  const field = document.forms.filter.q;
  const begin = performance.now();
  field.value = query;
  field.dispatchEvent(new Event("input", {bubbles: true}));
  document.body.getBoundingClientRect();
  return performance.now() - begin;
}"""


def main() -> None:
    """Build, weigh, open and filter."""
    runs = [Path(each) for each in sys.argv[1:]] or [Path("results/all")]
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder, "site")
        begin = time.perf_counter()
        merged = merge(runs)
        first = write_site(merged, site, reproduce=reproducer, derive=derived)
        took, busy = time.perf_counter() - begin, time.process_time()
        outcomes = sum(sum(run.footer.counts.values()) if run.footer else 0 for run in merged.runs)
        files = [each for each in site.rglob("*") if each.is_file()]
        _print("runs, outcomes", f"{len(merged.runs)}, {outcomes:,}")
        _print("build", f"{took:.1f} s", "10 s")
        _print("processor time, with imports", f"{busy:.1f} s")
        _print("size", f"{sum(each.stat().st_size for each in files) / 2**20:.1f} MiB", "10 MB")
        _print("files", f"{len(files):,}")
        _print("peak memory", f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
        if missing():
            print(f"no browser: {missing()}")
            return
        with launched() as browser:
            _browse(browser, first, max((site / "cases").iterdir(), key=lambda each: each.stat().st_size))


def _browse(browser: Any, first: Path, largest: Path) -> None:
    page = browser.new_page()

    def opened(path: Path) -> Callable[[], float]:
        def once() -> float:
            page.goto("about:blank")
            begin = time.perf_counter()
            page.goto(f"file://{path}")
            page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
            return time.perf_counter() - begin

        return once

    for name, path in (("overview", first), ("largest case", largest), ("stability", first.parent / "stability.html")):
        _print(f"open: {name}", f"{_median(opened(path)):.2f} s", "2 s")
    opened(first)()
    _print("rows of findings", f"{page.evaluate('conformanceFindings.rows.length'):,}")
    for query in QUERIES:
        _print(f"filter: {query!r}", f"{_median(lambda query=query: page.evaluate(FILTER, query)):.1f} ms", "100 ms")


def _median(measured: Callable[[], float]) -> float:
    return statistics.median(measured() for _ in range(REPEATS))


def _print(what: str, figure: str, goal: str = "") -> None:
    print(f"{what:28} {figure:>16}{f'   (at most {goal})' if goal else ''}")


if __name__ == "__main__":
    main()

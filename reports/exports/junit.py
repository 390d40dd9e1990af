"""JUnit XML of all outcomes: a test suite for each backend of each run, a test case for each check.

A pass is a test that passed, and a deviation too, with a property that says what is declared. Known defects,
unsupported features and what was not run are skipped, each with its reason. A fail and an outdated register entry are
failures; a crash, a timeout, a check that was not reached after one and a fault of the harness are errors, and so are a
backend that did not start and a run that was cut off.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from conformance.disk import replacing
from conformance.model.outcome import Outcome
from conformance.model.verdicts import CONFORMING, SILENT
from conformance.model.wording import explain_command, facts, message, title
from conformance.plain import plain, plain_lines
from conformance.reports.columns import Column
from conformance.reports.merge import Merged
from conformance.reports.relations import LOST, Relations
from conformance.results.store import Run

__all__ = ["write_junit"]

#: What XML 1.0 cannot hold, even escaped.
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_junit(merged: Merged, path: Path) -> Path:
    """Write the file at ``path``; returns it. Raises HarnessError where it cannot be written."""
    with replacing(path) as partial, partial.open("w", encoding="utf-8", newline="\n") as file:
        file.write('<?xml version="1.0" encoding="utf-8"?>\n<testsuites name="conformance">\n')
        for place, run in enumerate(merged.every.runs):
            file.writelines(_suites(merged.every, place, run))
        file.write("</testsuites>\n")
    return path


def _suites(relations: Relations, place: int, run: Run) -> Iterator[str]:
    """The lines of the suites of one run: a backend each, one that did not start too, and one for a run cut off."""
    broken = {name: (record.stopped, record.error) for name, record in run.backends.items() if record.error}
    totals: dict[Column, Counter[str]] = {}
    seconds: Counter[Column] = Counter()
    for col, verdict, lost, count, took in relations.query(
        f"select col, verdict, {LOST}, count(*), sum(greatest(seconds, 0)) from outcomes where run = ? group by all "
        "order by min(seq)",
        [place],
    ):
        column = relations.columns[col]
        totals.setdefault(column, Counter())[_kind(verdict, lost=lost)] += count
        seconds[column] += took
    for column, counts in totals.items():
        stopped, error = broken.pop(column.backend, ("", ""))
        name = f"{column.backend} {column.id.version}".rstrip()
        yield _head(name, counts + Counter(errors=bool(error)), seconds[column], run, column.backend)
        for _, outcome in relations.outcomes("run = ? and col = ?", [place, column.place]):
            yield _case(outcome, run.source(outcome), column)
        yield (_fault("backend", f"the backend {stopped}", error) if error else "") + " </testsuite>\n"
    for name, (stopped, error) in broken.items():
        yield _head(name, Counter(errors=1), 0.0, run, name)
        yield _fault("backend", f"the backend {stopped}", error) + " </testsuite>\n"
    if run.truncated:
        yield _head("run", Counter(errors=1), 0.0, run, "")
        said = "it has no footer: complete it with --resume"
        yield _fault("run", "the run is truncated", said) + " </testsuite>\n"


def _head(name: str, counts: Counter[str], seconds: float, run: Run, backend: str) -> str:
    kinds = " ".join(f'{kind}="{counts[kind]}"' for kind in ("failures", "errors", "skipped"))
    started = re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", run.header.started)
    when = f' timestamp="{started[0]}"' if started else ""
    numbers = f'tests="{counts.total()}" {kinds} time="{seconds:.6f}"{when}'
    return f" <testsuite name={_attribute(name)} {numbers}>\n{_properties(_about(run, backend))}\n"


def _case(outcome: Outcome, source: str | None, column: Column) -> str:
    inside, seconds = _inside(outcome, source, column), max(outcome.seconds, 0.0)
    named = f"classname={_attribute(outcome.theme or outcome.op)} name={_attribute(title(outcome))}"
    head = f'  <testcase {named} time="{seconds:.6f}"'
    return f"{head}>{inside}</testcase>\n" if inside else f"{head}/>\n"


def _fault(name: str, message: str, text: str) -> str:
    """A test case that stands for a fault of the whole suite."""
    inside = _element("error", message, "error", text)
    return f'  <testcase classname="conformance" name={_attribute(name)} time="0.000000">{inside}</testcase>\n'


def _kind(verdict: str, *, lost: bool) -> str:
    """The attribute of a suite that counts a verdict; what was not reached was not skipped."""
    if lost:
        return "errors"
    if verdict in CONFORMING:
        return "passed"
    if verdict in SILENT or verdict == "known":
        return "skipped"
    return "failures" if verdict in ("fail", "stale") else "errors"


def _inside(outcome: Outcome, source: str | None, column: Column) -> str:
    """What stands in the element of a test case."""
    verdict, said, kind = outcome.verdict, message(outcome), _kind(outcome.verdict, lost=outcome.is_lost)
    if kind == "passed":
        return _properties([("deviation", said)]) if verdict == "deviation" else ""
    if kind == "skipped":
        shown = ("explain", explain_command(outcome, column.spec, column.cases))
        known = _properties([("known", said), shown]) if verdict == "known" else ""
        return f"{known}<skipped message={_attribute(plain(f'{verdict}: {said}'))}/>"
    text = "\n".join(f"{name}: {value}" for name, value in facts(outcome, column.spec, source, column.cases))
    return _element("failure" if kind == "failures" else "error", said, verdict, text)


def _element(tag: str, message: str, kind: str, text: str) -> str:
    lines = "\n".join(plain_lines(text))
    return f"<{tag} type={_attribute(kind)} message={_attribute(message)}>{escape(_legal(lines))}</{tag}>"


def _properties(pairs: list[tuple[str, str]]) -> str:
    each = "".join(f"<property name={_attribute(name)} value={_attribute(value)}/>" for name, value in pairs)
    return f"<properties>{each}</properties>"


def _about(run: Run, backend: str) -> list[tuple[str, str]]:
    """What a suite says of its backend and machine."""
    record = run.backends.get(backend)
    versions = record.versions if record else {}
    pairs = [("suite", run.header.suite), ("commit", run.header.commit or "")]
    pairs += [(name, str(run.header.environment.get(name, ""))) for name in ("python", "platform", "cpu")]
    if record:
        options = ("device", "execution", "composition", "precision", "memory", "ranks")
        pairs += [(name, getattr(record.id, name)) for name in options]
    pairs += [(f"version.{name}", version) for name, version in versions.items()]
    for name, counts in (("deaths", run.deaths), ("restarts", run.restarts)):
        pairs += [(name, str(counts[backend]))] if backend in counts else []
    return [(name, value) for name, value in pairs if value]


def _legal(text: str) -> str:
    return _ILLEGAL.sub("\ufffd", text)


def _attribute(text: str) -> str:
    return quoteattr(_legal(plain(text)))

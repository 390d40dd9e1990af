"""Findings of one framework, grouped: by register entry, else by flags, operation, check and class."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from conformance.cases.literals import count_of
from conformance.cases.load import Entry
from conformance.model.backend import BackendRecord
from conformance.model.outcome import Outcome
from conformance.reports.dossier.issue import registered

__all__ = ["SHOWN", "DefectGroup", "grouped"]

#: Verdicts that a dossier shows.
SHOWN = frozenset({"fail", "crash", "timeout", "unreproduced", "known"})


@dataclass(eq=False)
class DefectGroup:
    """One defect of an adapter: ``defect`` is the register's id, or empty; ``issue`` where it is reported."""

    adapter: str
    defect: str
    issue: str
    name: str
    outcomes: list[Outcome] = field(default_factory=list)

    def by_size(self, entries: Mapping[str, Entry]) -> list[Outcome]:
        """The findings, the smallest and plainest first."""
        order = ("float32", "float64", "float16", "bfloat16")
        checks = ("value", "gradient", "error")

        def size(outcome: Outcome) -> tuple[object, ...]:
            entry = entries.get(outcome.case)
            return (
                entry is None,
                count_of(entry.case.input) if entry else 0,
                checks.index(outcome.check) if outcome.check in checks else len(checks),
                outcome.layout != "contiguous",
                order.index(outcome.dtype) if outcome.dtype in order else len(order),
                outcome.reduction,
                outcome.case,
                outcome.backend,
            )

        return sorted(self.outcomes, key=size)


def grouped(
    outcomes: Iterable[Outcome], entries: Mapping[str, Entry], records: Mapping[str, BackendRecord]
) -> list[DefectGroup]:
    """All groups, in an order that does not depend on the outcomes': unregistered, unreported, then by issue.

    An adapter's findings with other options (``torch:compile``) are those of the same code, and stand together.
    """
    found: dict[tuple[str, str, str], DefectGroup] = {}
    for each in outcomes:
        if each.verdict not in SHOWN:
            continue
        entry = registered(each)
        adapter = _adapter(each.backend, records)
        if entry is not None:
            key, group = (adapter, "known", entry[0]), DefectGroup(adapter, entry[0], entry[1], entry[0])
        else:
            case = entries.get(each.case)
            flags = ", ".join(sorted(case.case.flags)) if case else "unknown case"
            name = f"{flags or 'no flag'}: {each.op}, {each.check}" + (f", class {each.class_}" if each.class_ else "")
            name += f", {each.verdict}" if each.verdict != "fail" else ""
            key, group = (adapter, "new", name), DefectGroup(adapter, "", "not reported", name)
        found.setdefault(key, group).outcomes.append(each)
    return sorted(found.values(), key=_order)


def _order(group: DefectGroup) -> tuple[object, ...]:
    reported = group.issue != "not reported"
    return (bool(group.defect), reported, group.issue, group.adapter, group.name)


def _adapter(backend: str, records: Mapping[str, BackendRecord]) -> str:
    """The class that ran, with its file: the same for all options of an adapter."""
    classes = records[backend].classes if backend in records else []
    return f"{classes[0].file}, {classes[0].name}" if classes else backend

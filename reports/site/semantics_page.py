"""The semantics matrix: what each backend declares where implementations legitimately differ, and what was observed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from conformance.model.policies import NORMATIVE
from conformance.model.records import BackendRecord, Declaration, Outcome
from conformance.reports.semantics import BY_CHECK, NOT_OFFERED, Cell, Row, semantics
from conformance.reports.site.columns import Column

__all__ = ["Evidence", "PolicyRow", "policy_rows", "spoken"]


@dataclass(eq=False)
class Evidence:
    """Outcomes that tell of a policy, by column."""

    found: dict[Column, list[Outcome]] = field(default_factory=lambda: defaultdict(list))

    def add(self, column: Column, outcome: Outcome) -> None:
        """Keep an outcome that observes a policy."""
        if outcome.check == "policy" or outcome.check in BY_CHECK:
            self.found[column].append(outcome)


@dataclass(frozen=True)
class PolicyRow:
    """A policy with the normative choice, a cell for each column, and what differs: the frameworks' modes, or cells.

    ``unusual`` marks columns whose declaration is not the normative choice.
    """

    name: str
    normative: str
    cells: tuple[tuple[Column, Cell], ...]
    modes: dict[str, tuple[str, ...]]
    unusual: frozenset[Column]

    @property
    def differs(self) -> bool:
        """Whether an observation differs from its declaration, or modes of one framework from each other."""
        return bool(self.modes) or any(cell.differing for _, cell in self.cells)


def policy_rows(columns: Sequence[Column], evidence: Evidence) -> list[PolicyRow]:
    """A row for each policy that any backend declares or any outcome tells of, those with a normative choice first."""
    names = {column: f"{column.backend} {column.place}" for column in columns}
    records = [_record(column, names[column]) for column in columns]
    told = [
        (column.version, _renamed(outcome, names[column]))
        for column in columns
        for outcome in evidence.found.get(column, ())
    ]
    matrix = semantics(told, records)
    normative = {
        name: getattr(NORMATIVE, attribute)
        for name, attribute in zip(NORMATIVE.__struct_encode_fields__, NORMATIVE.__struct_fields__, strict=True)
    }
    found = {row.policy: row for row in matrix.rows}
    order = [name for name in normative if name in found] + [name for name in found if name not in normative]
    return [_row(found[name], normative, columns, names) for name in order]


def _row(row: Row, normative: dict[str, Any], columns: Sequence[Column], names: dict[Column, str]) -> PolicyRow:
    cells = tuple((column, row.cells.get(names[column], Cell())) for column in columns)
    unusual: frozenset[Column] = frozenset()
    if row.policy in normative:
        chosen = str(1 if row.policy == "default-axis" else normative[row.policy])
        unusual = frozenset(
            column
            for column, cell in cells
            if any(value not in (chosen, NOT_OFFERED) for value in cell.declared.values())
        )
    said = spoken(normative[row.policy]) if row.policy in normative else ""
    return PolicyRow(row.policy, said, cells, dict(row.modes_differ), unusual)


def _record(column: Column, name: str) -> BackendRecord:
    """What the column's record declares; of results that do not say, what its profile does."""
    policies = dict(column.record.policies) if column.record else {}
    for policy, found in column.profile.policies.items():
        value = found.of(column.device, column.mode)
        policies.setdefault(policy, Declaration(value=value, documentation=found.documentation, note=found.note))
    return BackendRecord(name=name, versions={"": column.version}, policies=policies)


def _renamed(outcome: Outcome, name: str) -> Outcome:
    import msgspec

    return msgspec.structs.replace(outcome, backend=name)


def spoken(value: Any) -> str:
    """A policy's value in words: mappings and lists on one line."""
    if isinstance(value, dict):
        return ", ".join(f"{key}: {spoken(each)}" for key, each in value.items()) or "1 for every operation"
    if isinstance(value, list):
        return ", ".join(map(spoken, value)) or "any integer"
    return str(value)

"""The semantics matrix: every policy by backend, as it is declared and as it was observed.

Both come from results files alone: the backends' records hold what their profiles declare, the outcomes of the check
``policy`` hold the values that describe what was seen. A backend without a profile has an observed side all the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from conformance.model import policies
from conformance.model.records import BackendRecord, Outcome

__all__ = ["BY_CHECK", "NOT_OFFERED", "Cell", "Observed", "Row", "SemanticsMatrix", "semantics", "spoken"]

#: Checks that observe a policy each: their verdicts as its values.
BY_CHECK = {check: policy.name for check, policy in policies.BY_CHECK.items()}
_BY_VERDICT = {"pass": "supported", "deviation": "supported", "fail": "wrong", "known": "wrong"}
#: Where one value allows for the other, a call that shows it outweighs those that do not.
_EITHER = "value", "inf"
NOT_OFFERED = "not offered"


@dataclass(frozen=True)
class Observed:
    """What was seen of one aspect: the value, how many calls tell of it, and cases that tell otherwise.

    ``value`` names several values, joined by ``or``, where the cases cannot tell them apart, and by ``and`` where
    calls contradict each other.
    """

    value: str
    calls: int
    cases: tuple[str, ...] = ()
    contradicting: bool = False


@dataclass(frozen=True)
class Cell:
    """One policy of one backend: declared, observed, and whether the two differ.

    Both map an aspect (an operation, a dtype, a kind of label; empty where the policy has one value) to a value.
    """

    declared: Mapping[str, str] = field(default_factory=dict)
    observed: Mapping[str, Observed] = field(default_factory=dict)
    documentation: str = ""
    note: str = ""

    @property
    def differing(self) -> tuple[str, ...]:
        """Aspects of which something else was observed than is declared.

        An operation or dtype that the framework lacks is no difference, unless it offers none of them.
        """
        return tuple(aspect for aspect in self.observed if self._differs(aspect))

    def _differs(self, aspect: str) -> bool:
        seen = self.observed[aspect]
        declared = self.declared.get(aspect, self.declared.get("", ""))
        if not declared or declared == "undefined":
            return False
        if seen.value == NOT_OFFERED and any(each.value != NOT_OFFERED for each in self.observed.values()):
            return False
        return seen.contradicting or declared not in seen.value.split(" or ")

    @property
    def declared_text(self) -> str:
        """``inf; float16: value``."""
        return spoken(self.declared)

    @property
    def observed_text(self) -> str:
        """The same of what was observed."""
        values = {aspect: seen.value for aspect, seen in self.observed.items()}
        offered = {aspect: value for aspect, value in values.items() if value != NOT_OFFERED}
        return spoken(offered or values)


@dataclass(frozen=True)
class Row:
    """One policy over all backends. ``modes_differ`` names frameworks whose modes were observed to differ."""

    policy: str
    cells: Mapping[str, Cell]
    modes_differ: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class SemanticsMatrix:
    """All policies; ``backends`` in the order of the columns, ``titles`` with their versions."""

    backends: tuple[str, ...]
    titles: Mapping[str, str]
    rows: tuple[Row, ...]

    @property
    def differing(self) -> tuple[tuple[str, str, str], ...]:
        """(policy, backend, aspect) of everything that was observed to differ from its declaration."""
        return tuple(
            (row.policy, backend, aspect)
            for row in self.rows
            for backend, cell in row.cells.items()
            for aspect in cell.differing
        )


def semantics(outcomes: Iterable[tuple[str, Outcome]], backends: Sequence[BackendRecord]) -> SemanticsMatrix:
    """The matrix of a run, or of several merged ones; backends that did not start have no column.

    Each outcome comes with the version of its backend.
    """
    versions: dict[str, set[str]] = defaultdict(set)
    up = [record for record in backends if not record.error]
    for record in up:
        versions[record.name].add(record.id.version)

    def column(name: str, version: str) -> str:
        return f"{name} {version}" if len(versions[name]) > 1 else name

    records = {column(record.name, record.id.version): record for record in up}
    evidence: dict[tuple[str, str], dict[str, list[Outcome]]] = defaultdict(lambda: defaultdict(list))
    titles = {name: f"{record.name} {record.id.version}".strip() for name, record in records.items()}
    for version, outcome in outcomes:
        label = outcome.policy if outcome.check == "policy" else BY_CHECK.get(outcome.check, "")
        if label:
            policy, _, aspect = label.partition("/")
            name = column(outcome.backend, version)
            evidence[(policy, name)][aspect].append(outcome)
            titles.setdefault(name, f"{outcome.backend} {version}".strip())
    names = tuple(sorted(titles))
    declared = [policy for record in records.values() for policy in record.policies]
    policies = sorted({*declared, *(policy for policy, _ in evidence)})
    rows = []
    for policy in policies:
        cells = {name: _cell(policy, records.get(name), evidence.get((policy, name), {})) for name in names}
        rows.append(Row(policy, cells, _modes_differ(cells)))
    return SemanticsMatrix(names, titles, tuple(rows))


def spoken(values: Mapping[str, str]) -> str:
    """Aspects and their values in few words: equal values stand together."""
    if not values:
        return ""
    if {*values.values()} == {"accepted", "refused"}:  # dtypes: those that are taken say it all
        return ", ".join(sorted(aspect for aspect, value in values.items() if value == "accepted"))
    groups: dict[str, list[str]] = {}
    for aspect, value in sorted(values.items()):
        groups.setdefault(value, []).append(aspect)
    if len(groups) == 1:
        return next(iter(groups))
    return "; ".join(f"{value}: {', '.join(aspects)}".removesuffix(": ") for value, aspects in groups.items())


def _cell(policy: str, record: BackendRecord | None, evidence: Mapping[str, Sequence[Outcome]]) -> Cell:
    stated = record.policies.get(policy) if record is not None else None
    observed = {aspect: seen for aspect, found in sorted(evidence.items()) if (seen := _observed(policy, found))}
    if stated is None:
        return Cell(observed=observed)
    return Cell(_declared(stated.value, observed), observed, stated.documentation, stated.note)


def _declared(value: Any, observed: Mapping[str, Observed]) -> dict[str, str]:
    """The declared value of every aspect that it names, or was observed in."""
    if isinstance(value, list):
        return _accepted({str(name) for name in value}, observed)
    if isinstance(value, dict):
        lists = [names for names in value.values() if isinstance(names, list)]
        if lists:
            return _accepted({str(name) for names in lists for name in names}, observed)
        return {str(aspect): str(each) for aspect, each in value.items()}
    return {"": NOT_OFFERED if value == "unsupported" else str(value)}


def _accepted(names: set[str], observed: Mapping[str, Observed]) -> dict[str, str]:
    return {name: "accepted" if name in names else "refused" for name in sorted({*names, *observed})}


def _observed(policy: str, found: Sequence[Outcome]) -> Observed | None:
    """What the calls tell together.

    Those that a known defect or a wrong result spoils tell nothing, unless there are no others.
    """
    if policy in BY_CHECK.values():
        return _by_verdict(found)
    told = [each for each in found if each.verdict != "unsupported" and each.observed]
    if not told:
        return Observed(NOT_OFFERED, len(found)) if found else None
    sound = [each for each in told if each.observed != ["other"] and each.verdict != "known"] or told
    sets = [[str(value) for value in each.observed] for each in sound]
    common = [value for value in sets[0] if all(value in values for values in sets)]
    if common:
        settled = common[:1] if tuple(common) == _EITHER else common
        return Observed(" or ".join(settled), len(sound))
    choices = [each for each in sets if not any({*other} < {*each} for other in sets)]
    words = [" or ".join(each) for each in choices]
    distinct = sorted({*words}, key=lambda word: (-words.count(word), word))
    usual = {*distinct[0].split(" or ")}
    odd = sorted({each.case for each, values in zip(sound, sets, strict=True) if not usual & {*values}})
    return Observed(" and ".join(distinct), len(sound), tuple(odd), contradicting=True)


def _by_verdict(found: Sequence[Outcome]) -> Observed | None:
    """Wrong where a check failed; refused where a call raised as is declared, or none was made; supported otherwise.

    A known defect tells nothing of the others, unless there are no others.
    """
    told = [each for each in found if each.verdict in _BY_VERDICT]
    told = [each for each in told if each.verdict != "known"] or told
    wrong = sorted({each.case for each in told if _BY_VERDICT[each.verdict] == "wrong"})
    if wrong:
        return Observed("wrong", len(told), tuple(wrong))
    raised = any(each.verdict == "deviation" and each.observed is None for each in told)
    if told:
        return Observed("refused" if raised else "supported", len(told))
    return Observed("refused", len(found)) if any(each.verdict == "unsupported" for each in found) else None


def _modes_differ(cells: Mapping[str, Cell]) -> dict[str, tuple[str, ...]]:
    """Of each framework with several modes in the run: the aspects in which two of them were observed to differ."""
    families: dict[str, list[Cell]] = defaultdict(list)
    for name, cell in cells.items():
        families[name.partition(" ")[0].partition(":")[0]].append(cell)
    differ: dict[str, tuple[str, ...]] = {}
    for family, members in families.items():
        aspects = sorted({aspect for cell in members for aspect in cell.observed})
        values = {a: {c.observed[a].value for c in members if a in c.observed} - {NOT_OFFERED} for a in aspects}
        found = tuple(aspect for aspect in aspects if len(values[aspect]) > 1)
        if found:
            differ[family] = found
    return differ

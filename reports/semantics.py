"""The semantics matrix: every policy by backend, as it is declared and as it was observed.

Both come from results files alone: the backends' records hold what their profiles declare, the outcomes of the check
``policy`` hold the values that describe what was seen. A backend without a profile has an observed side all the same.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from conformance.model.backend import Declaration
from conformance.model.policies import BY_CHECK as POLICIES_BY_CHECK
from conformance.model.policies import NORMATIVE
from conformance.reports.columns import Column
from conformance.reports.modes import differing_aspects
from conformance.reports.relations import Relations

__all__ = [
    "BY_CHECK",
    "NOT_OFFERED",
    "Observed",
    "PolicyCell",
    "PolicyRow",
    "SemanticsMatrix",
    "normative_first",
    "policy_value_text",
    "semantics",
]

#: Checks that observe a policy each: their verdicts as its values.
BY_CHECK = {check: policy.name for check, policy in POLICIES_BY_CHECK.items()}
_BY_VERDICT = {"pass": "supported", "deviation": "supported", "fail": "wrong", "known": "wrong"}
#: Where one value allows for the other, a call that shows it outweighs those that do not.
_EITHER = "value", "inf"
NOT_OFFERED = "not offered"
_LACKING = ((NOT_OFFERED,),)


@dataclass(frozen=True)
class Observed:
    """What was seen of one aspect: the values, how many calls show them, and cases that show otherwise.

    ``values`` has one entry, or several where calls contradict each other, the most frequent first. Each lists the
    values that describe what was seen: more than one where the cases cannot distinguish them.
    """

    values: tuple[tuple[str, ...], ...]
    calls: int
    cases: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """``nan or zero`` where either may be meant, ``nan and zero`` where calls contradict each other."""
        return " and ".join(" or ".join(each) for each in self.values)


@dataclass(frozen=True)
class PolicyCell:
    """One policy of one backend: declared, observed, and whether the two differ.

    Both map an aspect (an operation, a dtype, a kind of label; empty where the policy has one value) to a value.
    """

    declared: Mapping[str, str] = field(default_factory=dict)
    observed: Mapping[str, Observed] = field(default_factory=dict)
    documentation: str = ""
    note: str = ""

    @property
    def differing(self) -> tuple[str, ...]:
        """Aspects of which something else was observed than is declared; what is not offered shows nothing of them."""
        return tuple(aspect for aspect in self.observed if self._differs(aspect))

    def _differs(self, aspect: str) -> bool:
        seen = self.observed[aspect]
        declared = self.declared.get(aspect, self.declared.get("", ""))
        if not declared or declared == "undefined" or seen.values == _LACKING:
            return False
        return any(declared not in each for each in seen.values)

    @property
    def declared_text(self) -> str:
        """``inf; float16: value``."""
        return shortened(self.declared)

    @property
    def observed_text(self) -> str:
        """The same of what was observed."""
        offered = {aspect: seen for aspect, seen in self.observed.items() if seen.values != _LACKING}
        return shortened({aspect: seen.text for aspect, seen in (offered or self.observed).items()})


@dataclass(frozen=True)
class PolicyRow:
    """One policy over all backends. ``modes_differ`` names frameworks whose modes were observed to differ.

    ``normative`` is the normative choice, empty where there is none; ``unusual`` are the columns that declare another.
    """

    policy: str
    cells: Mapping[Column, PolicyCell]
    modes_differ: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    normative: str = ""
    unusual: frozenset[Column] = frozenset()

    @property
    def differs(self) -> bool:
        """Whether an observation differs from its declaration, or modes of one framework from each other."""
        return bool(self.modes_differ) or any(cell.differing for cell in self.cells.values())


@dataclass(frozen=True)
class SemanticsMatrix:
    """All policies, by name, and the columns that have a cell in each."""

    columns: tuple[Column, ...]
    rows: tuple[PolicyRow, ...]

    @property
    def differing(self) -> tuple[tuple[str, Column, str], ...]:
        """(policy, column, aspect) of everything that was observed to differ from its declaration."""
        return tuple(
            (row.policy, column, aspect)
            for row in self.rows
            for column, cell in row.cells.items()
            for aspect in cell.differing
        )


@dataclass(frozen=True)
class _Seen:
    """Calls that show the same of an aspect: their verdict, the values that describe what was seen, and their cases."""

    verdict: str
    values: tuple[str, ...] | None
    calls: int
    cases: tuple[str, ...]


def semantics(relations: Relations) -> SemanticsMatrix:
    """The matrix of some runs: every policy that a backend declares or an outcome observes."""
    derivatives = " ".join(f"when '{check}' then '{policy}'" for check, policy in BY_CHECK.items())
    rows = relations.query(
        f"""select col, case "check" when 'policy' then policy {derivatives} end as named, aspect, verdict, observed,
        count(*), list(distinct "case"), op, dtype, expected::varchar from outcomes where named <> '' group by all
        order by min(seq)"""
    )
    evidence: dict[tuple[str, Column], dict[str, list[_Seen]]] = defaultdict(lambda: defaultdict(list))
    exceptions: dict[tuple[str, Column], dict[str, str]] = defaultdict(dict)
    declared = {column: column.declarations for column in relations.columns}
    for col, policy, aspect, verdict, observed, calls, cases, op, dtype, expected in rows:
        column = relations.columns[col]
        if policy in declared[column] and declared[column][policy].by_kind:
            aspect = " ".join(filter(None, (aspect, op, dtype)))
            exceptions[(policy, column)][aspect] = ", ".join(_values(expected) or ())
        seen = _Seen(verdict, _values(observed), calls, tuple(cases))
        evidence[(policy, column)][aspect].append(seen)
    policies = sorted(
        {*(policy for found in declared.values() for policy in found), *(policy for policy, _ in evidence)}
    )
    made = []
    for policy in policies:
        cells = {
            column: _cell(
                policy, found.get(policy), evidence.get((policy, column), {}), exceptions.get((policy, column))
            )
            for column, found in declared.items()
        }
        offered = {
            column: {aspect: seen.values for aspect, seen in cell.observed.items() if seen.values != _LACKING}
            for column, cell in cells.items()
        }
        made.append(PolicyRow(policy, cells, differing_aspects(offered), *_normative(policy, cells)))
    return SemanticsMatrix(relations.columns, tuple(made))


def _values(observed: str | None) -> tuple[str, ...] | None:
    found = None if observed is None else json.loads(observed)
    return tuple(map(str, found)) if isinstance(found, list) else None if found is None else (str(found),)


def _normative(policy: str, cells: Mapping[Column, PolicyCell]) -> tuple[str, frozenset[Column]]:
    values = {
        name: getattr(NORMATIVE, attribute)
        for name, attribute in zip(NORMATIVE.__struct_encode_fields__, NORMATIVE.__struct_fields__, strict=True)
    }
    if policy not in values:
        return "", frozenset()
    chosen = str(1 if policy == "default-axis" else values[policy])
    unusual = frozenset(
        column for column, cell in cells.items() if any(v not in (chosen, NOT_OFFERED) for v in cell.declared.values())
    )
    return policy_value_text(values[policy]), unusual


def normative_first(matrix: SemanticsMatrix) -> list[PolicyRow]:
    """The rows, those of policies with a normative choice first, in their order there."""
    order = {name: place for place, name in enumerate(NORMATIVE.__struct_encode_fields__)}
    return sorted(matrix.rows, key=lambda row: order.get(row.policy, len(order)))


def policy_value_text(value: Any) -> str:
    """A policy's value in words: mappings and lists on one line."""
    if isinstance(value, dict):
        return ", ".join(f"{key}: {policy_value_text(each)}" for key, each in value.items()) or "1 for every operation"
    if isinstance(value, list):
        return ", ".join(map(policy_value_text, value)) or "any integer"
    return str(value)


def shortened(values: Mapping[str, str]) -> str:
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


def _cell(
    policy: str,
    stated: Declaration | None,
    evidence: Mapping[str, Sequence[_Seen]],
    by_call: Mapping[str, str] | None = None,
) -> PolicyCell:
    """``by_call`` is what the outcomes say that is declared, where that depends on operation and dtype."""
    named = by_call or ({} if stated is None else _declared(stated.value, {}))
    observed = {
        aspect: seen
        for aspect, found in sorted(evidence.items())
        if (seen := _observed(policy, found, named.get(aspect, named.get("", ""))))
    }
    if stated is None:
        return PolicyCell(observed=observed)
    declared = by_call or _declared(stated.value, observed)
    return PolicyCell(declared, observed, stated.documentation, stated.note)


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


def _observed(policy: str, found: Sequence[_Seen], declared: str = "") -> Observed | None:
    """What the calls show together; where two values describe them alike, the ``declared`` one of these.

    Those that a known defect affects show nothing, unless there are no others; a result that is wrong in other ways
    than the policy's shows nothing at all.
    """
    if policy in BY_CHECK.values():
        return _by_verdict(found, declared)
    evident = [each for each in found if each.verdict not in ("unsupported", "not run") and each.values]
    if not evident:
        lacking = [each for each in found if each.verdict == "unsupported"]
        return Observed(_LACKING, _calls(lacking)) if lacking else None
    sound = [each for each in evident if each.values != ("other",) and each.verdict != "known"] or evident
    sets = [each.values or () for each in sound]
    common = [value for value in sets[0] if all(value in values for values in sets)]
    if common:
        settled = common
        if tuple(common) == _EITHER:
            settled = [declared] if declared in common else common[:1]
        return Observed((tuple(settled),), _calls(sound))
    often: Counter[tuple[str, ...]] = Counter()
    for each, values in zip(sound, sets, strict=True):
        if not any({*other} < {*values} for other in sets):
            often[values] += each.calls
    distinct = sorted(often, key=lambda values: (-often[values], values))
    odd = {case for each in sound if not {*distinct[0]} & {*(each.values or ())} for case in each.cases}
    return Observed(tuple(distinct), _calls(sound), tuple(sorted(odd)))


def _by_verdict(found: Sequence[_Seen], declared: str) -> Observed | None:
    """Wrong where a check failed; refused where each call raised as is declared, or none was made; supported otherwise.

    A known defect shows nothing of the others, unless there are no others. Where another policy has a call raise, as of
    a label out of range, that says nothing of this one.
    """
    evident = [each for each in found if each.verdict in _BY_VERDICT]
    evident = [each for each in evident if each.verdict != "known"] or evident
    wrong = sorted({case for each in evident if _BY_VERDICT[each.verdict] == "wrong" for case in each.cases})
    if wrong:
        return Observed((("wrong",),), _calls(evident), tuple(wrong))
    raised = any(each.verdict == "deviation" and each.values is None for each in evident)
    if evident:
        refused = raised and not any(each.verdict == "pass" for each in evident)
        return Observed((("refused" if refused else "supported",),), _calls(evident))
    if not any(each.verdict == "unsupported" for each in found):
        return None
    return Observed(_LACKING if declared == NOT_OFFERED else (("refused",),), _calls(found))


def _calls(found: Sequence[_Seen]) -> int:
    return sum(each.calls for each in found)

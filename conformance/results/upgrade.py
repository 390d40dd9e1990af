"""Reads results files of schema 1, whose outcomes held a sentence where they now hold facts.

This is the one place that reads a message back, by the sentences that the suite wrote then. What is not one of them
stands as it was, with the reason ``recorded``. A register's entry is taken from the end of a known defect's message and
from nowhere else: any exception may end in such words.
"""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec

from conformance.model.backend import BackendId, BackendRecord, Declaration, SourceRecord
from conformance.model.case import Layout, OperationName
from conformance.model.checks import Check
from conformance.model.dtypes import DtypeName
from conformance.model.outcome import DefectRef, ErrorFact, Number, Outcome
from conformance.model.records import Footer, Header, Record
from conformance.model.verdicts import Verdict

__all__ = ["FORMER", "decode_former"]

#: The schema that this reads.
FORMER = 1


class _Backend(msgspec.Struct, frozen=True, kw_only=True, tag_field="record", tag="backend"):
    name: str
    framework: str = ""
    profile: str = ""
    versions: dict[str, str] = {}
    device: str = ""
    mode: str = ""
    settings: dict[str, str] = {}
    sources: dict[str, SourceRecord] = {}
    error: str | None = None
    policies: dict[str, Declaration] = {}


class _Header(msgspec.Struct, frozen=True, kw_only=True, tag_field="record", tag="header"):
    schema: int
    suite: str
    commit: str | None = None
    started: str
    environment: dict[str, Any] = {}
    selection: dict[str, Any] = {}
    backends: list[_Backend] = []


class _Outcome(msgspec.Struct, frozen=True, kw_only=True, tag_field="record", tag="outcome"):
    case: str
    theme: str = ""
    backend: str
    dtype: DtypeName
    layout: Layout
    op: OperationName
    reduction: str = ""
    check: Check
    verdict: Verdict | Literal["fixed"]
    class_: str | None = msgspec.field(default=None, name="class")
    ulp: Number | None = None
    ratio: Number | None = None
    observed: Any = None
    expected: Any = None
    worst_input: Any = None
    message: str = ""
    seconds: float = 0.0
    policy: str = ""


#: Modes that named a composition, and how that was executed.
_COMPOSITIONS = {"logsumexp": "jit", "one-hot": "jit", "safe": "jit", "module": "eager"}
_decoder = msgspec.json.Decoder(_Header | _Backend | _Outcome | Footer)


def decode_former(line: bytes) -> Record:
    """The record of a line of schema 1, as it is now; raises ``msgspec.DecodeError`` for a line that holds none."""
    record = _decoder.decode(line)
    if isinstance(record, _Outcome):
        return _outcome(record)
    if isinstance(record, _Backend):
        return _backend(record)
    if isinstance(record, _Header):
        fields = {name: getattr(record, name) for name in record.__struct_fields__}
        return Header(**{**fields, "backends": [_backend(each) for each in record.backends]})
    return record


def _backend(old: _Backend) -> BackendRecord:
    version = next(iter(old.versions.values()), "")
    return BackendRecord(
        name=old.name,
        id=BackendId(
            name=old.name,
            framework=old.framework,
            version=version,
            device=old.device,
            execution=_COMPOSITIONS.get(old.mode, old.mode),
            composition=old.mode if old.mode in _COMPOSITIONS else "",
        ),
        profile=old.profile,
        versions=old.versions,
        settings=old.settings,
        sources=old.sources,
        error=old.error,
        policies=old.policies,
    )


def _outcome(old: _Outcome) -> Outcome:
    fields = {name: getattr(old, name) for name in old.__struct_fields__ if name != "message"}
    if old.verdict == "fixed":
        fields["verdict"] = "stale"
    if isinstance(old.worst_input, dict) and isinstance(old.worst_input.get("position"), int):
        fields["position"] = old.worst_input["position"]
        fields["worst_input"] = {name: value for name, value in old.worst_input.items() if name != "position"}
    text = old.message
    entry = _REGISTERED.search(text) if old.verdict == "known" else None
    if entry is not None:
        fields["defect"] = DefectRef(entry["id"], entry["issue"])
        text = text[: entry.start()]
    if not text:
        return Outcome(**fields)
    return Outcome(**{**fields, **(_read(text, old) or {"reason": "recorded", "detail": text})})


_REGISTERED = re.compile(r" \[known: (?P<id>[^,\[\]]+), (?P<issue>[^\[\]]*)\]$")
_ERROR = re.compile(r"(?P<type>[A-Za-z_][\w.]*): (?P<text>.*)", re.DOTALL)
_PLACED = re.compile(r"(?P<text>.*) \(at (?P<where>[^()\s]+:[0-9]+)\)", re.DOTALL)
_QUANTITY = re.compile(r"the (?P<quantity>value|gradient|tangent|curvature|slope_of_targets): ")
_NUMBER = r"\S+"
#: The sentences of schema 1 about results, by reason; the groups are particulars that stood in no field.
_RESULTS = {
    "beyond-bound": (
        rf"(?:{_NUMBER} instead of {_NUMBER}: )?(?:class [A-E]|beyond every class), declared (?P<declared>[A-F]); "
        rf"{_NUMBER} times the bound, {_NUMBER} ulp|{_NUMBER} instead of {_NUMBER}|wrong value"
    ),
    "wrong-shape": r"the \w+ has shape \([0-9, ]*\), not \([0-9, ]*\)",
    "wrong-dtype": r"the \w+ has dtype \S+, not \S+",
    "with-gradient": r"the value that came with the gradient is .+, alone it is .+",
    "transformed-differs": (
        rf"{_NUMBER} where the untransformed call gave {_NUMBER}: {_NUMBER} times both bounds together"
    ),
    "transformed-shape": r"the transformed call's result has another shape",
    "wrong-sum": rf"the classes of position (?P<position>[0-9]+) sum to {_NUMBER}, not {_NUMBER}",
    "not-repeatable": r"a second call gave other bits",
    "modified": r"the call modified (?:what is not its own|its inputs): (?P<detail>.+)",
    "no-error": r"returned a result although (?P<detail>.+)",
    "no-warning": r"no warning that speaks of '(?P<detail>[^']+)'(?:; heard only: (?P<observed>.+))?",
    "policy-differs": r"observed .+, declared .+: the declaration is wrong",
    "policy-not-normative": r"observed .+ where nothing is declared, so that (?P<detail>\S+) is expected",
    "policy-unknown": r"no value of this policy describes the result",
}
_DEVIATIONS = {
    "declared": r"as its declared (?:policies say|(?P<policy>[a-z0-9-]+) says)"
    r"|(?P<detail>.+); the result is what the declared policy says",
    "left-open": r"its declared policies leave this open(?:: any result)?",
    "declared-wrong": r"declared to be wrong",
    "policy-as-declared": r"observed as declared: .+",
    "policy-undefined": r"observed: .+; declared undefined",
}
_RIGHT = {
    "policy-as-declared": r"observed as declared: .+",
    "policy-undeclared": r"observed: .+; nothing is declared",
}
_NOT_JUDGED = {
    "vacuous-bound": r"the bound of class (?P<declared>[A-F]) is vacuous here: it promises nothing",
    "policy-spoilt": r"the result is wrong: no value of this policy describes it",
    "left-out": r"(?P<detail>.+)",
}
_LACKING = {"required": r"the case requires (?P<detail>\S+), which the profile declares unsupported"}
_STALE = {"stale": r"the registered defect '(?P<entry>[^']+)' does not show here: its entry is out of date"}
_SENTENCES = {
    "fail": _RESULTS, "known": _RESULTS, "deviation": {**_DEVIATIONS, **_RESULTS}, "pass": _RIGHT,
    "not run": _NOT_JUDGED, "unsupported": _LACKING, "stale": _STALE, "fixed": _STALE,
}  # fmt: skip


def _read(text: str, old: _Outcome) -> dict[str, Any] | None:
    """What a message says, as fields; None where the sentence is not known."""
    if old.check == "warning" and old.verdict == "pass":
        return {"reason": "warned", "detail": text}
    prefix = _QUANTITY.match(text) if old.check not in ("value", "gradient") else None
    said = text[prefix.end() :] if prefix else text
    beside: dict[str, Any] = {"quantity": prefix["quantity"]} if prefix else {}
    for reason, pattern in _SENTENCES.get(old.verdict, {}).items():
        if reason.startswith("policy-") != (old.check == "policy") and reason != "left-out":
            continue
        found = re.fullmatch(pattern, said, re.DOTALL)
        if found is None:
            continue
        given = {name: value for name, value in found.groupdict().items() if value is not None}
        if "position" in given:
            beside["position"] = int(given.pop("position"))
        if "entry" in given:
            beside["defect"] = DefectRef(given.pop("entry"))
        if "policy" in given:
            beside["excused_by"] = (given.pop("policy"),)
        elif old.verdict == "deviation" and old.check == "policy":
            beside["excused_by"] = (old.policy.partition("/")[0],)
        return {"reason": reason, **given, **beside}
    return _error(text, old)


def _error(text: str, old: _Outcome) -> dict[str, Any] | None:
    """The message as that of an exception, or of a failure without a type."""
    if old.verdict == "unsupported":
        return {"reason": "unsupported", "error": ErrorFact("", text)}
    reason = "failed" if old.verdict in ("crash", "timeout", "error") else "raised"
    if old.verdict == "deviation":
        excused = text.removesuffix(" (as its declared policies say)")
        if excused == text:
            return None
        text = excused
    failed = text.removeprefix("the transformed call failed: ")
    if failed != text:
        reason, text = "transformed-failed", failed
    placed = _PLACED.fullmatch(text)
    text, where = (placed["text"], placed["where"]) if placed else (text, "")
    typed = _ERROR.fullmatch(text)
    if typed is not None:
        return {"reason": reason, "error": ErrorFact(typed["type"], typed["text"], where)}
    return {"reason": reason, "error": ErrorFact("", text, where)} if reason == "failed" else None

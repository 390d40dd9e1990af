"""Reads results files of schema 1, whose outcomes held a sentence where they now hold facts.

This is the one place that reads a message back. A fact is taken from one only where the sentence that the facts make is
the very message; what is not understood stands as it was, with the reason ``recorded``. A register's entry is taken
from the end of a known defect's message and from nowhere else: any exception may end in such words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from conformance.model.backend import BackendId, BackendRecord, Declaration, SourceRecord
from conformance.model.outcome import DefectRef, ErrorFact, Number, Outcome
from conformance.model.records import Footer, Header, Record
from conformance.model.wording import statement

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
    dtype: str
    layout: str
    op: str
    reduction: str = ""
    check: str
    verdict: str
    class_: str | None = msgspec.field(default=None, name="class")
    ulp: Number | None = None
    ratio: Number | None = None
    observed: Any = None
    expected: Any = None
    worst_input: Any = None
    message: str = ""
    seconds: float = 0.0
    policy: str = ""


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
        id=BackendId.of_mode(old.name, old.framework, version, old.device, old.mode),
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
    for found in _readings(text, old):
        made = Outcome(**{**fields, **found})
        if statement(made) == text:
            return made
    return Outcome(**fields, reason="recorded", detail=text)


_REGISTERED = re.compile(r" \[known: (?P<id>[^,\[\]]+), (?P<issue>[^\[\]]*)\]$")
_ERROR = re.compile(r"(?P<type>[A-Za-z_][\w.]*): (?P<text>.*)", re.DOTALL)
_PLACED = re.compile(r"(?P<text>.*) \(at (?P<where>[^()\s]+:[0-9]+)\)", re.DOTALL)
_QUANTITY = re.compile(r"the (?P<quantity>value|gradient|tangent|curvature|slope_of_targets): ")
_DECLARED = re.compile(r"as its declared (?P<policy>[a-z0-9-]+) says")
#: Reasons of which a message holds a particular that stood in no field: the name of that field.
_PARTICULARS = (
    ("no-error", re.compile(r"returned a result although (?P<detail>.+)", re.DOTALL)),
    ("declared", re.compile(r"(?P<detail>.+); the result is what the declared policy says", re.DOTALL)),
    ("beyond-bound", re.compile(r".*, declared (?P<declared>[A-F]); .*")),
    ("vacuous-bound", re.compile(r"the bound of class (?P<declared>[A-F]) is vacuous .*")),
    ("wrong-sum", re.compile(r"the classes of position (?P<position>[0-9]+) sum .*")),
    ("modified", re.compile(r"the call modified what is not its own: (?P<detail>.+)")),
    ("required", re.compile(r"the case requires (?P<detail>\S+), .*")),
    ("no-warning", re.compile(r"no warning that speaks of '(?P<detail>[^']+)'(?:; heard only: (?P<observed>.+))?")),
    ("policy-not-normative", re.compile(r".* nothing is declared, so that (?P<detail>\S+) is expected")),
)
#: Reasons whose message says nothing beyond the fields.
_PLAIN = (
    *("beyond-bound", "wrong-shape", "wrong-dtype", "with-gradient", "left-open", "declared", "declared-wrong"),
    *("transformed-differs", "transformed-shape", "not-repeatable"),
)
_OF_POLICY = (
    *("policy-as-declared", "policy-differs", "policy-undeclared", "policy-undefined"),
    *("policy-unknown", "policy-spoilt"),
)


def _readings(text: str, old: _Outcome) -> Iterator[dict[str, Any]]:
    """What a message may mean, as fields, the likeliest first."""
    if old.verdict == "stale" or old.verdict == "fixed":
        name = re.fullmatch(r"the registered defect '([^']+)' does not show .*", text)
        yield {"reason": "stale", "defect": DefectRef(name[1]) if name else None}
    if old.check == "warning" and old.verdict == "pass":
        yield {"reason": "warned", "detail": text}
    prefix = _QUANTITY.match(text) if old.check not in ("value", "gradient") else None
    said = text[prefix.end() :] if prefix else text
    beside = {"quantity": prefix["quantity"]} if prefix else {}
    if old.verdict == "deviation" and (named := _DECLARED.fullmatch(said)):
        yield {"reason": "declared", "excused_by": (named["policy"],), **beside}
    for reason, pattern in _PARTICULARS:
        if found := pattern.fullmatch(said):
            given: dict[str, Any] = {name: value for name, value in found.groupdict().items() if value is not None}
            if "position" in given:
                given["position"] = int(given["position"])
            yield {"reason": reason, **given, **beside}
    excused = (old.policy.partition("/")[0],) if old.verdict == "deviation" else ()
    yield from ({"reason": reason, "excused_by": excused} for reason in (_OF_POLICY if old.check == "policy" else ()))
    yield from ({"reason": reason, **beside} for reason in _PLAIN)
    if old.verdict == "not run":
        yield {"reason": "left-out", "detail": text}
    elif old.observed is None or old.verdict == "unsupported":
        yield from _errors(text, old)


def _errors(text: str, old: _Outcome) -> Iterator[dict[str, Any]]:
    """The message as that of an exception, or of a failure without a type."""
    reason = {"unsupported": "unsupported", "fail": "raised", "known": "raised", "pass": "raised"}.get(old.verdict)
    if old.verdict == "deviation":
        reason, text = "raised", text.removesuffix(" (as its declared policies say)")
    failed = text.removeprefix("the transformed call failed: ")
    if failed != text:
        reason, text = "transformed-failed", failed
    placed = _PLACED.fullmatch(text)
    where = placed["where"] if placed else ""
    text = placed["text"] if placed else text
    typed = _ERROR.fullmatch(text) if reason != "unsupported" else None
    if typed is not None:
        yield {"reason": reason or "failed", "error": ErrorFact(typed["type"], typed["text"], where)}
    elif reason in (None, "unsupported"):
        yield {"reason": reason or "failed", "error": ErrorFact("", text, where)}

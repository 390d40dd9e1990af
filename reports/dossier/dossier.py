"""One Markdown file for each framework: every defect with its shortest reproducer, ready to be sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from conformance.cases.load import Entry
from conformance.errors import HarnessError, UsageError
from conformance.judge.profile import Profile
from conformance.repro.script import reproducer
from conformance.results.records import BackendRecord, Outcome
from reports.dossier.groups import SHOWN, Group, by_framework, grouped
from reports.dossier.issue import Subject, expectation, fenced, search_link, title
from reports.markdown import escape
from reports.merge import Merged

__all__ = ["dossier_texts", "write_dossiers"]

#: Findings of a group whose scripts are compared for the shortest.
CANDIDATES = 3
CASES_SHOWN = 12


def write_dossiers(
    merged: Merged, entries: Mapping[str, Entry], profiles: Mapping[str, Profile], output: Path
) -> list[Path]:
    """Write ``<framework>.md`` into ``output``; the paths. Raises HarnessError where they cannot be written."""
    paths = []
    try:
        output.mkdir(parents=True, exist_ok=True)
        for framework, text in dossier_texts(merged, entries, profiles).items():
            path = output / f"{_file_name(framework)}.md"
            path.write_text(text, encoding="utf-8")
            paths.append(path)
    except OSError as error:
        raise HarnessError(f"{output} cannot be written: {error.strerror}") from None
    return paths


def dossier_texts(merged: Merged, entries: Mapping[str, Entry], profiles: Mapping[str, Profile]) -> dict[str, str]:
    """Framework to its dossier, for every framework that ran; the same text for the same results, in any order."""
    records: dict[str, BackendRecord] = {}
    versions: dict[str, set[tuple[str, str]]] = {}
    for run in merged.runs:
        for name, record in run.backends.items():
            if record.error:
                continue
            if name not in records or record.sources:
                records[name] = record
            versions.setdefault(record.framework or name, set()).update(record.versions.items())
    frameworks = {name: record.framework for name, record in records.items()}
    shown = (each for each in merged.outcomes if each.verdict in SHOWN)
    found = by_framework(shown, frameworks)
    return {
        framework: _text(framework, found.get(framework, []), records, sorted(versions[framework]), entries, profiles)
        for framework in sorted(versions)
    }


def _text(
    framework: str,
    outcomes: Sequence[Outcome],
    records: Mapping[str, BackendRecord],
    versions: Sequence[tuple[str, str]],
    entries: Mapping[str, Entry],
    profiles: Mapping[str, Profile],
) -> str:
    groups = grouped(outcomes, entries)
    fresh = sum(not group.defect for group in groups)
    lines = [f"# {escape(framework)}: what does not conform", ""]
    lines += [f"{len(groups)} defects in {len(outcomes)} checks; {fresh} of them not in the register. Versions: "
              + ", ".join(f"{escape(name)} {escape(version)}" for name, version in versions) + ".", ""]  # fmt: skip
    if groups:
        lines += [f"{i}. {escape(group.name)} ({len(group.outcomes)})" for i, group in enumerate(groups, 1)]
        lines.append("")
    for group in groups:
        lines += _group(group, records, entries, profiles.get(group.backend))
    return "\n".join(lines).rstrip() + "\n"


def _group(
    group: Group, records: Mapping[str, BackendRecord], entries: Mapping[str, Entry], profile: Profile | None
) -> list[str]:
    best, script = _shortest(group, records, entries)
    record = records.get(best.backend)
    subject = Subject(best.backend, record.framework if record else "", record.versions if record else {}, profile)
    defect = next((each for each in profile.known if each.id == group.defect), None) if profile else None
    entry = entries.get(best.case)
    why = defect.why if defect else entry.case.why if entry else best.message
    lines = [f"## {escape(group.name)}", "", f"**{escape(title(best))}**", "", escape(" ".join(why.split())), ""]
    lines += [f"- expected: {expectation(best)}"]
    lines += [f"- observed: {escape(best.message)}"]
    lines += [f"- affected: {_affected(group)}"]
    known = f"{escape(group.defect)}, {_link(group.issue)}" if group.defect else "not reported"
    lines += [f"- register: {known}" + (f", confirmed {escape(defect.date)}" if defect else "")]
    seen_on = ", ".join(f"{name} {version}" for name, version in subject.versions.items())
    lines += [f"- versions: {escape(seen_on or best.version)}; {escape(best.device)}, {escape(best.mode)}"]
    if profile and best.op in profile.operations:
        lines += [f"- documentation: {_link(profile.operations[best.op].documentation)}"]
    lines += [f"- {search_link(best, subject)}", "", f"Case {escape(best.case)}:", ""]
    return [*lines, script, ""]


def _shortest(group: Group, records: Mapping[str, BackendRecord], entries: Mapping[str, Entry]) -> tuple[Outcome, str]:
    """The finding whose script is the shortest, and that script; in its place, why there is none."""
    ordered = group.by_size(entries)
    found: list[tuple[int, Outcome, str]] = []
    why = "the case is not among the cases given"
    for outcome in ordered[:CANDIDATES]:
        record = records.get(outcome.backend)
        if outcome.case not in entries or record is None:
            continue
        try:
            text = reproducer(entries[outcome.case], outcome, record.sources)
        except UsageError as error:
            why = error.problem
            continue
        found.append((len(text), outcome, text))
    if not found:
        return ordered[0], f"No script: {escape(why)}."
    _, outcome, text = min(found, key=lambda each: each[0])
    return outcome, fenced(text, "python")


def _affected(group: Group) -> str:
    def values(name: str) -> str:
        found = sorted({str(getattr(each, name)) for each in group.outcomes if getattr(each, name)})
        return ", ".join(escape(each) for each in found)

    cases = sorted({each.case for each in group.outcomes})
    named = ", ".join(escape(each) for each in cases[:CASES_SHOWN])
    more = f" and {len(cases) - CASES_SHOWN} more" if len(cases) > CASES_SHOWN else ""
    ulps = [each.ulp for each in group.outcomes if isinstance(each.ulp, float)]
    largest = f"; up to {max(ulps):.3g} ulp" if ulps else ""
    parts = [values("op"), values("dtype"), f"reduction {values('reduction')}" if values("reduction") else ""]
    parts += [f"check {values('check')}", f"mode {values('mode')}", f"layout {values('layout')}"]
    return f"{'; '.join(each for each in parts if each)}{largest}; {len(cases)} cases: {named}{more}"


def _link(address: str) -> str:
    plain = address.startswith("https://") and not set(address) & set(" <>\n\t|`")
    return f"<{address}>" if plain else escape(address)


def _file_name(framework: str) -> str:
    kept = "".join(c if c.isalnum() or c in "-_." else "-" for c in framework).strip(".") or "framework"
    return kept[:80]

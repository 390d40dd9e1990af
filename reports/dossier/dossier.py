"""One Markdown file for each framework, or kernel of a user: every defect with its shortest reproducer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from conformance.cases.load import Entry
from conformance.disk import write
from conformance.model.backend import BackendRecord
from conformance.model.errors import UsageError
from conformance.model.outcome import Outcome
from conformance.model.wording import message
from conformance.profiles.load import recorded_profile
from conformance.profiles.profile import Defect
from conformance.reports.columns import slugs
from conformance.reports.dossier.groups import SHOWN, DefectGroup, grouped
from conformance.reports.dossier.issue import expectation, observation, script_lines, search_link, title
from conformance.reports.escape import address, escape
from conformance.reports.merge import Merged
from conformance.repro.script import Reproducer, reproducer
from conformance.results.store import Run

__all__ = ["dossier_texts", "write_dossiers"]

#: Findings of a group whose scripts are compared for the shortest.
CANDIDATES = 3
CASES_SHOWN = 12
#: Checks that show a defect itself, not what follows from it.
PLAIN = frozenset({"value", "gradient", "error"})


def write_dossiers(
    merged: Merged, entries: Mapping[str, Entry], output: Path, below: Path | None = None
) -> dict[str, Path]:
    """Write a file for each framework and each kernel of a user into ``output``; name to path.

    Raises HarnessError where they cannot be written.

    ``below`` is the folder that ``output`` is a part of, where it is one: no link may lead out of that.
    """
    texts = dossier_texts(merged, entries)
    return {
        title: write(output / f"{slug}.md", text, below=below)
        for slug, (title, text) in zip(slugs([*texts]), texts.items(), strict=True)
    }


def dossier_texts(merged: Merged, entries: Mapping[str, Entry]) -> dict[str, str]:
    """Framework or kernel to its dossier, for all that ran; the same text for the same results, in any order."""
    records: dict[str, BackendRecord] = {}
    ran: dict[str, list[tuple[Run, BackendRecord]]] = {}
    for run in merged.runs:
        for name, record in run.backends.items():
            if record.error:
                continue
            if name not in records or record.sources:
                records[name] = record
            ran.setdefault(record.belongs_to, []).append((run, record))
    found: defaultdict[str, list[Outcome]] = defaultdict(list)
    for each in merged.outcomes:
        if each.verdict in SHOWN:
            found[records[each.backend].belongs_to if each.backend in records else each.backend].append(each)
    writer = _Writer(records, entries)
    return {name: writer.text(name, found[name], ran[name]) for name in sorted(ran)}


@dataclass(frozen=True)
class _Writer:
    """Writes dossiers from the backends' records and the cases."""

    records: Mapping[str, BackendRecord]
    entries: Mapping[str, Entry]

    def text(self, name: str, outcomes: Sequence[Outcome], ran: Sequence[tuple[Run, BackendRecord]]) -> str:
        """The whole dossier of a framework or kernel."""
        groups = grouped(outcomes, self.entries, self.records)
        fresh = sum(not group.defect for group in groups)
        versions = sorted({version for _, record in ran for version in record.versions.items()})
        shown = ", ".join(f"{escape(name)} {escape(version)}" for name, version in versions)
        lines = [f"# {escape(name)}: what does not conform", ""]
        if not groups:
            return "\n".join([*lines, f"Nothing was found. Versions: {shown}."]) + "\n"
        seen = f"{_count(groups, 'defect')}, seen in {_count(outcomes, 'check')}; {fresh} not in the register."
        whole = "Each script below is whole: it needs what it imports."
        lines += [f"{seen} Versions: {shown}. {_machines([run for run, _ in ran])} {whole}", ""]
        found = [(group, *self._shortest(group)) for group in groups]
        several = len({group.adapter for group in groups}) > 1
        headings = [self._heading(group, best, named=several) for group, best, _ in found]
        lines += [
            f"{i}. {escape(heading)} ({len(group.outcomes)})"
            for i, (heading, (group, _, _)) in enumerate(zip(headings, found, strict=True), 1)
        ]
        for number, (heading, (group, best, script)) in enumerate(zip(headings, found, strict=True), 1):
            lines += ["", f"## {number}. {escape(heading)}", "", *self._group(group, best, script)]
        return "\n".join(lines).rstrip() + "\n"

    def _group(self, group: DefectGroup, best: Outcome, script: Sequence[str]) -> list[str]:
        record = self.records.get(best.backend, BackendRecord(name=best.backend))
        profile = recorded_profile(record)
        defect = self._defect(group, best)
        entry = self.entries.get(best.case)
        why = defect.why if defect else entry.case.why if entry else message(best)
        lines = [
            escape(_sentence(why)),
            "",
            *script,
            "",
            f"- Expected: {expectation(best)}",
            f"- Observed: {observation(best)}",
            f"- Affected: {self._affected(group)}",
            f"- Versions: {self._versions(group, record, defect)}",
        ]
        if best.op in profile.operations:
            feature = profile.operations[best.op]
            note = f" {escape(_sentence(feature.note))}" if feature.note else ""
            lines += [f"- Documentation: {address(feature.documentation)}{note}"]
        if group.defect:
            confirmed = f", confirmed {escape(defect.date)}" if defect else ""
            lines += [f"- Register: {escape(group.defect)}{confirmed}; reported: {_reported(group.issue)}"]
        else:
            lines += [f"- Register: no entry ({escape(group.name)}); not reported"]
        return [*lines, f"- {search_link(best, record, group.defect)}", f"- From case {escape(best.case)}"]

    def _defect(self, group: DefectGroup, best: Outcome) -> Defect | None:
        """The entry of the register that describes it, if there is one."""
        record = self.records.get(best.backend, BackendRecord(name=best.backend))
        return next((each for each in recorded_profile(record).known if each.id == group.defect), None)

    def _heading(self, group: DefectGroup, best: Outcome, *, named: bool) -> str:
        """The register's title of the defect, or its name as words, and what shows it best.

        After the backend's name, if so asked: several of a framework may have the same defect.
        """
        defect, words = self._defect(group, best), group.defect.replace("-", " ")
        words = defect.title if defect and defect.title else f"{words[:1].upper()}{words[1:]}"
        heading = f"{words}. {title(best)}" if words else title(best)
        return f"{best.backend}: {heading}" if named else heading

    def _versions(self, group: DefectGroup, record: BackendRecord, defect: Defect | None) -> str:
        """Where it was seen here, by the results, and where else, by the register."""
        ids = {self.records[each.backend].id for each in group.outcomes if each.backend in self.records}
        seen = sorted({each.version for each in ids if each.version})
        name = next(iter(record.versions), record.id.framework or record.name)
        others = [f"{other} {version}" for other, version in record.versions.items() if other != name]
        where = sorted({f"{each.device or 'cpu'}, {each.how or 'eager'}" for each in ids} or {"cpu, eager"})
        text = f"{name} {', '.join(seen)}"
        text += f" (with {', '.join(others)})" if others else ""
        text += f"; on {'; '.join(where)}"
        if defect and (defect.versions or defect.seen_on):
            text += f"; registered for {defect.versions or ', '.join(defect.seen_on)}"
        if defect and defect.machine:
            text += f"; {defect.machine}"
        return escape(text)

    def _shortest(self, group: DefectGroup) -> tuple[Outcome, Sequence[str]]:
        """The finding whose script is the shortest, and its lines; in their place, why there is none."""
        ordered = group.by_size(self.entries)
        found: list[tuple[tuple[bool, int], Outcome, Reproducer]] = []
        why = "the case is not among the cases given"
        for outcome in ordered[:CANDIDATES]:
            record = self.records.get(outcome.backend)
            if outcome.case not in self.entries or record is None:
                continue
            try:
                script = reproducer(self.entries[outcome.case], outcome, record)
            except UsageError as error:
                why = error.problem
                continue
            found.append(((outcome.check not in PLAIN, len(script.text)), outcome, script))
        if not found:
            return ordered[0], [f"No script: {escape(why)}."]
        _, outcome, script = min(found, key=lambda each: each[0])
        return outcome, script_lines(script)

    def _affected(self, group: DefectGroup) -> str:
        def values(name: str) -> str:
            found = sorted({str(getattr(each, name)) for each in group.outcomes if getattr(each, name)})
            return ", ".join(escape(each) for each in found)

        ways = sorted({self.records[each.backend].id.how for each in group.outcomes if each.backend in self.records})
        cases = sorted({each.case for each in group.outcomes})
        named = ", ".join(escape(each) for each in cases[:CASES_SHOWN])
        more = f" and {len(cases) - CASES_SHOWN} more" if len(cases) > CASES_SHOWN else ""
        ulps = [each.ulp for each in group.outcomes if isinstance(each.ulp, float)]
        largest = f"; up to {max(ulps):.3g} ulp" if ulps else ""
        parts = [values("op"), values("dtype"), f"reduction {values('reduction')}" if values("reduction") else ""]
        parts += [
            f"check {values('check')}",
            f"executed as {' or '.join(map(escape, ways))}",
            f"layout {values('layout')}",
        ]
        return f"{'; '.join(each for each in parts if each)}{largest}; {_count(cases, 'case')}: {named}{more}"


def _machines(runs: Sequence[Run]) -> str:
    """On what the runs were made, and when, by which suite."""
    found: dict[str, None] = {}
    for run in runs:
        about = run.header.environment
        parts = [str(about[name]) for name in ("cpu", "platform", "python") if about.get(name)]
        suite = f"suite {run.header.suite}" + (f" of commit {run.header.commit[:12]}" if run.header.commit else "")
        found[", ".join([*parts, f"run of {run.header.started[:10]}", suite])] = None
    return f"On {'; '.join(escape(each) for each in found)}."


def _reported(issue: str) -> str:
    return "no" if issue == "not reported" else address(issue)


def _sentence(text: str) -> str:
    """One line that begins with a capital, unless it begins with a name, and ends with a full stop."""
    line = " ".join(text.split())
    first = line.partition(" ")[0]
    if first.isalpha() and first.islower():
        line = line[0].upper() + line[1:]
    return line if line.endswith((".", "!", "?")) else f"{line}."


def _count(things: Sequence[object], name: str) -> str:
    return f"{len(things)} {name}{'' if len(things) == 1 else 's'}"

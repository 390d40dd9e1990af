"""The page of docs on defects by version: its data, which are recorded from runs, and its text in Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from conformance.cases.yaml12 import read
from conformance.model.errors import Place, UsageError
from conformance.places import DOCS
from conformance.reports.escape import escape, wrapped
from conformance.reports.nightly.frameworks import Framework
from conformance.reports.nightly.released import MOST
from conformance.reports.versions import DefectHistory, VersionHistory, VersionShare

__all__ = [
    "RECORDED",
    "RecordedDefect",
    "RecordedHistory",
    "histories_data",
    "read_histories",
    "recorded",
    "versions_text",
]

RECORDED = DOCS / "versions.yaml"
Text = Annotated[str, msgspec.Meta(min_length=1)]
Count = Annotated[int, msgspec.Meta(ge=0)]

_HEAD = """# Defects by version

Which released versions show each defect, and which release repaired it. Every version of a backend
was asked at most {most} of the cases that each entry of its register names, and none for an entry
whose only case is `*`; some checks may be missing in a version that lacks the feature. A row is an
entry of the register of known defects ([what was found](findings.md)), or, where there is none,
what was wrong in an operation and check. *or before* is the oldest version that was asked;
*repaired in* is the first version that was asked and is right, behind the last one that shows the
defect. An empty cell was not asked.

```sh
tox run -e versions                                             # which can be interrupted, and goes on
python -m conformance.reports.documents versions-data results/versions/runs/* > docs/versions.yaml
python -m conformance.reports.documents versions > docs/versions.md
```

`versions-data --keep` leaves what is recorded of backends that the runs do not have, so that the
versions of one framework can be asked alone: `tox run -e versions -- -b mlx`.
"""


class RecordedDefect(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``by_version`` has how many checks are wrong, and how many were made, of each version that made any."""

    defect: Text
    case: Text
    by_version: dict[Text, tuple[Count, Count]]
    registered: bool = True

    @property
    def history(self) -> DefectHistory:
        """The same as what was read from runs."""
        shares = {version: VersionShare(made, wrong) for version, (wrong, made) in self.by_version.items()}
        return DefectHistory(self.defect, self.registered, self.case, shares)


class RecordedHistory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A backend's versions that were asked, the oldest first, and the defects that any of them shows."""

    backend: Text
    versions: list[Text]
    defects: list[RecordedDefect]


def recorded(histories: Iterable[VersionHistory]) -> list[RecordedHistory]:
    """What is recorded of the histories; of a defect whose checks one version alone made, nothing is known."""
    return [
        RecordedHistory(
            history.backend,
            [*dict.fromkeys(column.id.version for column in history.columns)],
            [_recorded(each) for each in history.defects if len(each.by_version) > 1],
        )
        for history in histories
    ]


def _recorded(defect: DefectHistory) -> RecordedDefect:
    by_version = {name: (share.wrong, share.checks) for name, share in defect.by_version.items()}
    return RecordedDefect(defect.name, defect.case, by_version, defect.registered)


def histories_data(histories: Iterable[RecordedHistory], kept: Iterable[RecordedHistory] = ()) -> str:
    """The histories as YAML, and of those that are ``kept`` the backends which these do not have."""
    lines = ["# Defects by version. Made by `python -m conformance.reports.documents versions-data RUN...`."]
    by_backend = {each.backend: each for each in (*kept, *histories)}
    for history in sorted(by_backend.values(), key=lambda each: each.backend):
        lines += [f"- backend: {json.dumps(history.backend)}", f"  versions: {json.dumps(history.versions)}"]
        lines.append("  defects:" if history.defects else "  defects: []")
        for each in history.defects:
            shares = (f"{json.dumps(name)}: [{wrong}, {made}]" for name, (wrong, made) in each.by_version.items())
            lines += [f"    - defect: {json.dumps(each.defect)}", f"      case: {json.dumps(each.case)}"]
            lines += [] if each.registered else ["      registered: false"]
            lines.append(f"      by_version: {{{', '.join(shares)}}}")
    return "\n".join(lines) + "\n"


def read_histories(file: Path = RECORDED) -> list[RecordedHistory]:
    """The recorded histories; raises UsageError where the file is not as it should be."""
    try:
        return msgspec.convert(read(file), list[RecordedHistory])
    except msgspec.ValidationError as error:
        hint = "make it anew: python -m conformance.reports.documents versions-data RUN..."
        raise UsageError(f"not a list of histories: {error}", place=Place(file), hint=hint) from None


def versions_text(histories: Sequence[RecordedHistory], listed: Mapping[str, Framework]) -> str:
    """The page in Markdown, which names the ``listed`` versions that were not run."""
    head = _HEAD.replace("{most}", str(MOST))
    missing = _not_run(histories, listed)
    return "\n".join([head, *_summary(histories), *missing, *(line for each in histories for line in _section(each))])


def _summary(histories: Sequence[RecordedHistory]) -> Iterator[str]:
    yield "| backend | versions | defects | repaired | came later than the first version |"
    yield "|---|---|---|---|---|"
    for history in histories:
        found = [each.history for each in history.defects]
        repaired = sum(bool(each.repaired_in) for each in found)
        later = sum(not each.since_the_first for each in found)
        asked = f"{len(history.versions)}: {history.versions[0]} to {history.versions[-1]}"
        yield f"| {escape(history.backend)} | {escape(asked)} | {len(found)} | {repaired or ''} | {later or ''} |"
    yield ""


def _not_run(histories: Sequence[RecordedHistory], listed: Mapping[str, Framework]) -> Iterator[str]:
    recorded = {history.backend: history.versions for history in histories}
    missing = []
    for name, about in listed.items():
        run = recorded.get((about.asked or about.backends)[0], [])  # the framework whose version the list names
        if versions := [version for version in about.versions if version not in run]:
            missing.append(f"{escape(name)} ({', '.join(map(escape, versions))})")
    if missing:
        yield wrapped(f"Listed, and not run: {', '.join(missing)}. Of these nothing is said here.") + "\n"


def _section(history: RecordedHistory) -> Iterator[str]:
    yield f"## {escape(history.backend)}\n"
    if not history.defects:
        asked = ", ".join(map(escape, history.versions))
        yield wrapped(f"Asked: {asked}. None shows a defect for which another one was asked, too.") + "\n"
        return
    heads = ["defect", "first", "last", "repaired in", *history.versions]
    yield f"| {' | '.join(map(escape, heads))} |"
    yield "|---" * len(heads) + "|"
    for each in history.defects:
        yield _row(each, history.versions)
    yield ""


def _row(each: RecordedDefect, versions: Sequence[str]) -> str:
    about = each.history
    name = f"`{each.defect}`" if each.registered else f"{escape(each.defect)} (`{each.case}`)"
    first = f"{about.first} or before" if about.since_the_first else about.first
    cells = [name, escape(first), escape(about.last), escape(about.repaired_in)]
    return f"| {' | '.join([*cells, *(_cell(each, version) for version in versions)])} |"


def _cell(each: RecordedDefect, version: str) -> str:
    if version not in each.by_version:
        return ""
    wrong, made = each.by_version[version]
    return f"{wrong} of {made}" if wrong else "right"

"""The columns of every table: a backend in one version, on one device, executed in one way, on one kind of machine."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from conformance.model.backend import BackendId, BackendRecord, Declaration
from conformance.model.execution import ExecutionEvidence, execution_in_words, total
from conformance.model.records import Header, WorkerRecord
from conformance.profiles.load import recorded_profile
from conformance.profiles.profile import UNDECLARED, Profile
from conformance.results.store import Run

__all__ = ["Column", "ColumnIdentity", "columns_of", "environment", "fact_text", "machine", "newest", "slug", "slugs"]

_SLUG = re.compile(r"[a-z0-9][a-z0-9.-]{0,79}")


class ColumnIdentity(NamedTuple):
    """A backend on a kind of machine: results of one identity are comparable, and the newest stand."""

    id: BackendId
    machine: str


@dataclass(frozen=True, eq=False)
class Column:
    """A backend as tables show it; ``label`` is unique, ``slug`` is its label in file names and fragments.

    ``place`` counts the columns from 0 in the order of tables; ``spec`` is what ``-b`` takes for the backend.
    """

    place: int
    id: BackendId
    machine: str
    label: str
    slug: str
    spec: str
    record: BackendRecord | None
    runs: tuple[Run, ...] = field(default=(), repr=False)

    @property
    def backend(self) -> str:
        """Its name, which runs of several versions share."""
        return self.id.name

    @cached_property
    def cases(self) -> tuple[str, ...]:
        """What ``--cases`` takes for its cases; none for the suite's own, and where its runs were of different ones."""
        named = {run.header.selected.cases for run in self.runs}
        return named.pop() if len(named) == 1 else ()

    @property
    def executed(self) -> str:
        """How its calls were executed, by the framework's own word, in a line; empty where that is not on record."""
        return execution_in_words(self.id.execution, self.evidence) if self.evidence else ""

    @property
    def compiles(self) -> bool:
        """Whether any of its calls was to be compiled, as far as that is on record."""
        return self.evidence is not None and self.evidence.eager < self.evidence.calls

    @cached_property
    def evidence(self) -> ExecutionEvidence | None:
        """What is known of the execution of its calls in all its runs; None where that is not on record."""
        return total(run.modes.get(self.id.name) for run in self.runs)

    @property
    def family(self) -> str:
        """The framework that it belongs to, or its own name where nothing is known of that."""
        return self.id.framework or self.id.name

    @cached_property
    def profile(self) -> Profile:
        """What the record says that the backend declares."""
        return recorded_profile(self.record) if self.record else UNDECLARED

    @cached_property
    def declarations(self) -> dict[str, Declaration]:
        """What it was judged by, as its record says; of results that do not say, what its profile declares."""
        return self.profile.declarations(*self.id.words) | (self.record.policies if self.record else {})

    @property
    def declared_in(self) -> str:
        """The profile by which it was judged: a user's own, by its file, or one of the suite, by its name."""
        return self.record.declared_in if self.record else ""


def machine(recorded: Header | WorkerRecord) -> str:
    """Processor and platform in words; empty where the record does not say."""
    environment = recorded.environment
    platform = str(environment.get("platform", "")).rpartition(" ")[2]
    return " ".join(part for part in (str(environment.get("cpu", "")), platform) if part)


def environment(recorded: Header) -> dict[str, str]:
    """What is known of where a run was made, by name, in words: ``{"cores": "2 usable, 4 all"}``."""
    known = recorded.environment.items()
    return {name: fact_text(value) for name, value in known if name not in ("suite", "commit")}


def fact_text(value: Any) -> str:
    """A fact of a record on one line, as people write it."""
    if isinstance(value, dict):
        return ", ".join(f"{fact_text(each)} {key}" for key, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(fact_text, value))
    if isinstance(value, int) and value > 1 << 24:
        return f"{value / 2**30:.1f} GiB"
    return "" if value is None else str(value)


def columns_of(found: Sequence[tuple[Run, Sequence[ColumnIdentity]]]) -> dict[ColumnIdentity, Column]:
    """The column of each identity, sorted by name and version; ``found`` are the runs, oldest first, and theirs."""
    seen: dict[ColumnIdentity, list[Run]] = {}
    for run, identities in found:
        for identity in identities:
            seen.setdefault(identity, []).append(run)
    keys = sorted(seen, key=lambda key: (key.id.name, _natural(key.id.version), *_parts(key)))
    labels = _labels(keys)
    names = slugs([labels[key] for key in keys])
    columns = {}
    for place, key in enumerate(keys):
        runs, name = tuple(seen[key]), key.id.name
        record = next((r for run in reversed(runs) if (r := run.backends.get(name)) and not r.error), None)
        last = runs[-1].backends.get(name)
        spec = last.spec if last is not None and last.spec else name
        columns[key] = Column(place, key.id, key.machine, labels[key], names[place], spec, record, runs)
    return columns


def newest(columns: Sequence[Column]) -> list[Column]:
    """Of each backend, device and way to execute it the last version: what pairs of backends are compared by."""
    last: dict[tuple[str, ...], Column] = {}
    for column in columns:
        last[(column.id.name, *column.id.words)] = column
    return list(last.values())


def slug(text: str) -> str:
    """A name for a file or a fragment, from any text: lower case, short, and different for different texts."""
    if _SLUG.fullmatch(text) and not text.endswith("."):
        return text
    plain = re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")[:60].rstrip("-.")
    mark = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{plain or 'x'}-{mark}"


def slugs(labels: Sequence[str]) -> list[str]:
    """``torch-2.13.0-cpu``: such names for labels that all differ; a hash follows where two would share one."""
    plain = ["-".join(re.findall(r"[a-z0-9]+(?:\.[a-z0-9]+)*", label.lower())) for label in labels]
    often = Counter(plain)
    return [slug(short if short and often[short] == 1 else label) for short, label in zip(plain, labels, strict=True)]


def _parts(key: ColumnIdentity) -> tuple[str, ...]:
    """What labels name only where name and version are ambiguous, in this order."""
    return (key.id.execution, *key.id.further, key.id.device, key.machine)


def _natural(version: str) -> tuple[tuple[int, int, str], ...]:
    parts = version.replace("+", ".").replace("-", ".").split(".")
    return tuple((0, int(p), "") if p.isascii() and p.isdigit() else (1, 0, p) for p in parts)


def _labels(keys: Sequence[ColumnIdentity]) -> dict[ColumnIdentity, str]:
    """``torch 2.13.0``; options, device and machine follow where the name alone would be ambiguous."""
    labels = {key: key.id.title for key in keys}
    often: Counter[str]
    for part in range(len(_parts(keys[0])) if keys else 0):
        often = Counter(labels.values())
        doubtful = [key for key in keys if often[labels[key]] > 1]
        groups: dict[str, set[str]] = {}
        for key in doubtful:
            groups.setdefault(labels[key], set()).add(_parts(key)[part])
        renamed = {k: f"{labels[k]} {_parts(k)[part]}".strip() for k in doubtful if len(groups[labels[k]]) > 1}
        labels.update(renamed)
    often = Counter()
    for key in keys:
        often[labels[key]] += 1
        if often[labels[key]] > 1:
            labels[key] = f"{labels[key]} ({often[labels[key]]})"
    return labels

"""The columns of every table: a backend in one version, on one device, in one mode, on one kind of machine."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from conformance.model.records import BackendRecord, Header
from conformance.places import PROFILES
from conformance.profiles.profile import UNDECLARED, Profile, load_profile
from conformance.reports.site.text import slug
from conformance.results.spans import Spans
from conformance.results.store import Run

__all__ = ["Column", "Key", "Source", "columns_of", "machine", "newest"]

Key = tuple[str, str, str, str, str]


@dataclass(frozen=True, eq=False)
class Source:
    """A run as the site reads it: what it says of itself, and where its outcomes lie."""

    run: Run
    spans: Spans

    @property
    def machine(self) -> str:
        """The kind of machine it ran on."""
        return machine(self.run.header)

    def key(self, backend: str) -> Key:
        """What names the column of a backend of this run."""
        found = self.run.identity(backend)
        return (backend, found.version, found.device, found.mode, self.machine)


@dataclass(frozen=True, eq=False)
class Column:
    """A backend as tables show it; ``label`` is unique, ``slug`` is its label in file names and fragments."""

    place: int
    backend: str
    version: str
    device: str
    mode: str
    label: str
    slug: str
    spec: str
    record: BackendRecord | None
    runs: tuple[Run, ...] = field(default=(), repr=False)

    @cached_property
    def profile(self) -> Profile:
        """What the backend declares of itself; an undeclared profile where it has none in this checkout."""
        named = (self.record.profile if self.record else "") or self.backend.partition(":")[0]
        files: dict[str, Path] = {file.stem: file for file in PROFILES.glob("*.yaml")}
        return load_profile(files[named]) if named in files else UNDECLARED


def machine(header: Header) -> str:
    """Processor and platform in words; empty where the run does not say."""
    environment = header.environment
    platform = str(environment.get("platform", "")).rpartition(" ")[2]
    return " ".join(part for part in (str(environment.get("cpu", "")), platform) if part)


def columns_of(sources: Sequence[Source]) -> tuple[list[Column], dict[Key, Column]]:
    """All columns, sorted by name and version, and each by its key (backend, version, device, mode, machine)."""
    seen: dict[Key, list[Source]] = {}
    for source in sources:
        for name in source.spans.backends:
            seen.setdefault(source.key(name), []).append(source)
    keys = sorted(seen, key=lambda key: (key[0], _natural(key[1]), *key[2:]))
    labels = _labels(keys)
    slugs = _slugs([labels[key] for key in keys])
    columns = []
    for place, key in enumerate(keys):
        runs = tuple(source.run for source in seen[key])
        record = next((r for run in reversed(runs) if (r := run.backends.get(key[0])) and not r.error), None)
        columns.append(Column(place, *key[:4], labels[key], slugs[place], _spec(key[0], runs[-1]), record, runs))
    return columns, dict(zip(keys, columns, strict=True))


def newest(columns: Sequence[Column]) -> list[Column]:
    """Of each backend, device and mode the last version: what pairs of backends are compared by."""
    last: dict[tuple[str, ...], Column] = {}
    for column in columns:
        last[(column.backend, "", column.device, column.mode)] = column
    return list(last.values())


def _natural(version: str) -> tuple[tuple[int, int, str], ...]:
    parts = version.replace("+", ".").replace("-", ".").split(".")
    return tuple((0, int(p), "") if p.isascii() and p.isdigit() else (1, 0, p) for p in parts)


def _labels(keys: Sequence[Key]) -> dict[Key, str]:
    """``torch 2.13.0``; device, mode and machine follow where the name alone would be ambiguous."""
    labels = {key: f"{key[0]} {key[1]}".strip() for key in keys}
    often: Counter[str]
    for part in (3, 2, 4):
        often = Counter(labels.values())
        doubtful = [key for key in keys if often[labels[key]] > 1]
        groups: dict[str, set[str]] = {}
        for key in doubtful:
            groups.setdefault(labels[key], set()).add(key[part])
        renamed = {key: f"{labels[key]} {key[part]}".strip() for key in doubtful if len(groups[labels[key]]) > 1}
        labels.update(renamed)
    often = Counter()
    for key in keys:
        often[labels[key]] += 1
        if often[labels[key]] > 1:
            labels[key] = f"{labels[key]} ({often[labels[key]]})"
    return labels


def _slugs(labels: Sequence[str]) -> list[str]:
    """``torch-2.13.0-cpu``; a hash follows where two labels would share one."""
    plain = ["-".join(re.findall(r"[a-z0-9.]+", label.lower())).strip(".") for label in labels]
    often = Counter(plain)
    return [slug(short if short and often[short] == 1 else label) for short, label in zip(plain, labels, strict=True)]


def _spec(backend: str, run: Run) -> str:
    """What ``-b`` takes for the backend: its name, or the file that it was given as."""
    given = run.header.selection.get("backends")
    specs = [each for each in given if isinstance(each, str)] if isinstance(given, list) else []
    if backend in specs:
        return backend
    return next((each for each in specs if Path(each.partition(":")[0]).stem == backend), backend)

"""A backend of a run: its identity, and what is recorded of it."""

from __future__ import annotations

from typing import Any

import msgspec

from conformance.model.outcome import Count, as_json

__all__ = ["BackendId", "BackendRecord", "ClassSource", "Declaration", "OwnProfile", "SourceRecord"]


class BackendId(msgspec.Struct, frozen=True, kw_only=True):
    """The identity of a backend, made once when it comes up and carried to every report.

    ``framework`` is what it belongs to, ``version`` that of its first distribution; ``device`` is ``cpu`` or another;
    ``execution`` how calls are executed (eager, jit, graph, ...); ``composition`` which documented function stands for
    a loss, ``precision`` what differs from the framework's default arithmetic, ``memory`` how it has tensors lie, and
    ``ranks`` over how many ranks the classes are divided: all four empty for the default.
    """

    name: str
    framework: str = ""
    version: str = ""
    device: str = ""
    execution: str = ""
    composition: str = ""
    precision: str = ""
    memory: str = ""
    ranks: str = ""

    @property
    def words(self) -> tuple[str, ...]:
        """What a profile's variants and register may name, the more particular the later."""
        return (self.device, self.execution, *self.further)

    @property
    def further(self) -> tuple[str, ...]:
        """The options that have no word for their default: composition, precision, memory, ranks."""
        return (self.composition, self.precision, self.memory, self.ranks)

    @property
    def how(self) -> str:
        """How it works, in words: ``eager, logsumexp``."""
        return ", ".join(filter(None, (self.execution, *self.further)))

    @property
    def title(self) -> str:
        """Name and version, as tables head a column."""
        return f"{self.name} {self.version}".rstrip()


class SourceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of an adapter: ``file``, the ``line`` it begins at (from 1), its ``text``."""

    file: str
    line: Count
    text: str


class ClassSource(SourceRecord, frozen=True, kw_only=True):
    """A class of an adapter, with the text of its module; of one that holds several, at the first one only."""

    name: str


class Declaration(msgspec.Struct, frozen=True, kw_only=True):
    """A policy as a profile declares it: one value, or one for each operation, dtype or kind of input.

    ``by_kind`` says that there are others for some operations or dtypes: what is declared of a call, its outcome says.
    """

    value: Any
    documentation: str = ""
    note: str = ""
    by_kind: bool = False

    def __post_init__(self) -> None:
        as_json(self.value)  # which refuses what no reader could use


class OwnProfile(msgspec.Struct, frozen=True, kw_only=True):
    """The profile that a user's backend brings along: the name of its ``file``, and what it ``declares`` in the end.

    That is its content laid over the profile of the suite that it extends, so that a report needs neither.
    """

    file: str
    declares: dict[str, Any]

    def __post_init__(self) -> None:
        as_json(self.declares)


class BackendRecord(msgspec.Struct, frozen=True, kw_only=True, tag_field="record", tag="backend"):
    """A backend of the run. ``settings`` are the numeric modes in force: x64, TF32, flush-to-zero, threads.

    ``name`` is the one that its outcomes carry, ``spec`` what ``-b`` takes for it. ``profile`` names the profile of its
    adapter, ``own_profile`` is a user's own, by which it was judged instead, and ``policies`` holds what that or the
    former declares for this device and execution. ``versions`` maps distributions to versions. ``sources`` maps each
    operation to its place and text in the adapter; ``classes`` are what that is made of, the most derived one first.
    ``error`` says why it did not run, or was given up when ``through`` of the ``planned`` cases were. The operations
    ``overridden`` are a user's own code, to which no register of the suite applies. In a shard ``register`` holds the
    entries of known defects that apply to the others: whether they are stale shows only when all shards are there.
    """

    name: str
    spec: str = ""
    id: BackendId = msgspec.field(default_factory=lambda: BackendId(name=""))
    profile: str = ""
    versions: dict[str, str] = {}
    settings: dict[str, str] = {}
    sources: dict[str, SourceRecord] = {}
    classes: list[ClassSource] = []
    error: str | None = None
    through: Count = 0
    planned: Count = 0
    policies: dict[str, Declaration] = {}
    own_profile: OwnProfile | None = None
    register: list[dict[str, Any]] = []
    overridden: list[str] = []

    def __post_init__(self) -> None:
        as_json(self.register)
        if not self.id.name:
            version = self.id.version or next(iter(self.versions.values()), "")
            named = msgspec.structs.replace(self.id, name=self.name, version=version)
            msgspec.structs.force_setattr(self, "id", named)

    @property
    def stopped(self) -> str:
        """What became of it, in words, where there is an ``error``: it was never up, or was given up."""
        if self.through:
            return f"was given up after {self.through} of {self.planned} cases"
        return "did not run to its end" if self.versions else "did not run"

    @property
    def belongs_to(self) -> str:
        """The framework that it is a variant of; its own name where the code is a user's."""
        return self.name if self.overridden or self.own_profile else self.id.framework or self.name

    @property
    def declared_in(self) -> str:
        """The profile by which it was judged: a user's own, by its file, or one of the suite, by its name."""
        return self.own_profile.file if self.own_profile else self.profile

    @property
    def code(self) -> list[str]:
        """The texts of its operations and classes: where they are the same, the same code ran."""
        return [each.text for each in (*self.sources.values(), *self.classes)]

    def other_versions(self, first: BackendRecord) -> str:
        """The versions that are others than in ``first``, in words: ``torch 2.9.1, not 2.8.0``; empty for none."""
        none = dict.fromkeys([*first.versions, *self.versions], "(none)")
        here, there = none | self.versions, none | first.versions
        return ", ".join(f"{name} {here[name]}, not {there[name]}" for name in none if here[name] != there[name])

    def source(self, operation: str) -> str | None:
        """``file:line`` of the adapter's code of an operation, None where it is not known."""
        found = self.sources.get(operation)
        return f"{found.file}:{found.line}" if found is not None and found.file else None

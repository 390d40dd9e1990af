"""What the rules find of each backend, kept as one file of a line for each."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

__all__ = ["FILE", "Found", "Peers", "RuleRecord", "ZeroProblem", "read_peers", "write_peers"]

FILE = Path(__file__).with_name("peers.json")


class Found(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What kills a backend, by rule: the first test that it fails; a rule that lets it pass is missing.

    ``ops`` and ``checks`` are those in which the narrowest case of this suite that kills it finds it to be wrong, and
    ``digest`` is that of the backend's source.
    """

    digest: str = ""
    killed: dict[str, str] = {}
    ops: list[str] = []
    checks: list[str] = []


class RuleRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A rule: its title and source, and what it asks."""

    title: str
    source: str
    ops: list[str]
    checks: list[str]


class ZeroProblem(msgspec.Struct, frozen=True, kw_only=True):
    """A problem of KernelBench before a kernel of zeros: the largest right value, and whether zeros pass."""

    name: str
    version: str
    inputs: str
    largest: float
    tolerance: float
    passes: bool


class Peers(msgspec.Struct, frozen=True, kw_only=True):
    """The rules by key, the backends by title, and the versions of what was asked."""

    versions: dict[str, str]
    rules: dict[str, RuleRecord]
    zeros: list[ZeroProblem]
    right: dict[str, Found]
    wrong: dict[str, Found]


def read_peers(path: Path = FILE) -> Peers | None:
    """The record, or None where there is none."""
    return msgspec.json.decode(path.read_bytes(), type=Peers) if path.is_file() else None


def write_peers(peers: Peers, path: Path = FILE) -> None:
    """Write the record with a line for each backend, so that a change is a line of a diff."""
    parts = []
    for name, value in msgspec.to_builtins(peers).items():
        if name in ("right", "wrong"):
            lines = ",\n".join(f"  {json.dumps(key)}: {json.dumps(each)}" for key, each in sorted(value.items()))
            parts.append(f' "{name}": {{\n{lines}\n }}')
        else:
            parts.append(f' "{name}": {json.dumps(value)}')
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")

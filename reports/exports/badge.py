"""Badges: one JSON document a backend, in the form that shields.io reads from an endpoint."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import msgspec
from packaging.version import InvalidVersion, Version

from conformance.disk import write
from conformance.model.verdicts import NONCONFORMING, NOTABLE
from conformance.plain import plain
from conformance.reports.columns import slugs
from conformance.reports.exports.standing import Standing
from conformance.schemas.documents import Badge

__all__ = ["badge", "write_badges"]

LABEL = 60  # characters


def badge(backend: Standing) -> Badge:
    """The badge of a backend: what is wrong, or how many checks are right."""
    counts = backend.counts
    label = plain(f"cross-entropy · {backend.label}", LABEL)
    message, colour = _message(backend, counts)
    return Badge(label=label, message=message, color=colour, isError=colour == "red")


def _message(backend: Standing, counts: Counter[str]) -> tuple[str, str]:
    right = counts["pass"] + counts["deviation"]
    bad = [f"{counts[verdict]} {verdict}" for verdict in NOTABLE if verdict in NONCONFORMING and counts[verdict]]
    if bad:
        return ", ".join(bad), "red"
    if counts["error"]:
        return f"{counts['error']} errors of the harness", "lightgrey"
    if backend.lost:
        return f"{right} right, {backend.lost} not reached", "lightgrey"
    if backend.error:
        return f"{right} right, given up" if right else "did not run", "lightgrey"
    if backend.incomplete:
        return f"{right} right, incomplete", "lightgrey"
    if counts["known"]:
        return f"{right} right, {counts['known']} known", "yellow"
    return (f"{right} right", "brightgreen") if right else ("nothing checked", "lightgrey")


def write_badges(backends: Iterable[Standing], folder: Path) -> list[Path]:
    """Write ``<backend>.json``, of its newest release, and ``<backend>-<version>.json`` for each of several versions.

    Raises HarnessError where they cannot be written.
    """
    by_name: dict[str, list[Standing]] = {}
    for backend in backends:
        by_name.setdefault(backend.name, []).append(backend)
    named: list[tuple[str, Standing]] = []
    for name, versions in sorted(by_name.items()):
        named.append((name, _newest(versions)))
        named += [(f"{name} {each.version}", each) for each in versions if len(versions) > 1]
    return [
        write(folder / f"{name}.json", msgspec.json.format(msgspec.json.encode(badge(backend)), indent=1) + b"\n")
        for name, (_, backend) in zip(slugs([name for name, _ in named]), named, strict=True)
    ]


def _newest(versions: Iterable[Standing]) -> Standing:
    """The newest release; a pre-release only where there is no other."""
    return max(versions, key=lambda each: (_order(each.version), each.started))


def _order(version: str) -> tuple[bool, Version]:
    try:
        parsed = Version(version)
    except InvalidVersion:
        return (False, Version("0"))
    return (not parsed.is_prerelease, parsed)

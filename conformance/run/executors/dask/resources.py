"""Resources: what a task takes of a worker, and what a machine has to offer. Named after backends and devices."""

from __future__ import annotations

from typing import Any

from conformance.model.errors import BackendUnavailable, UsageError
from conformance.plain import say
from conformance.run.judged import open_backend
from conformance.worker.find import find_backends
from conformance.worker.limits import Limits

__all__ = ["needs", "offered"]


def needs(found: Any) -> dict[str, float]:
    """The resources that a backend takes of a worker: its name, unless it is the user's own, and its device."""
    resources = {} if found.source in ("file", "module") else {found.base: 1.0}
    devices = ("cuda",) if found.devices is None else found.devices[1:]  # the first is the default, which all have
    return resources | {word: 1.0 for word in found.words if word in devices}


def offered(specs: tuple[str, ...], start: float) -> dict[str, float]:
    """The resources of this machine: each backend that starts here, and each device on which one does.

    Those that do not start are reported on standard error. Raises UsageError where none is left.
    """
    resources: dict[str, float] = {}
    firsts: dict[str, Any] = {}
    for each in find_backends(specs):
        firsts.setdefault(each.base, each)
    for found in firsts.values():
        own = found.source in ("file", "module")
        if not _starts(found.spec if own else found.base, start):
            continue
        resources |= {found.base: 1.0} | (needs(found) if own else {})
        for device in (found.devices or ())[1:]:  # the first is the default
            if device not in resources and _starts(f"{found.base}:{device}", start):
                resources[device] = 1.0
    if not resources:
        raise UsageError("no backend starts here", hint="install a framework, or name one that starts with -b")
    return resources


def _starts(spec: str, start: float) -> bool:
    with open_backend(spec, limits=Limits(start=start)) as backend:
        try:
            record = backend.record
        except BackendUnavailable as error:
            say(f"{spec} is not offered: {error.reason}", err=True)
            return False
    versions = ", ".join(f"{name} {version}" for name, version in record.versions.items())
    say(f"{spec}: {versions} on {record.id.device}", err=True)
    return True

"""The backend that is judged."""

from __future__ import annotations

from dataclasses import dataclass, field

from conformance.model.backend import BackendId
from conformance.profiles.profile import UNDECLARED, Profile

__all__ = ["Subject"]


@dataclass(frozen=True)
class Subject:
    """The backend that is judged, as it describes itself, and what its profile declares."""

    name: str
    id: BackendId = field(default_factory=lambda: BackendId(name=""))
    profile: Profile = UNDECLARED
    #: Operation to ``file:line`` of the adapter's code.
    sources: dict[str, str] | None = None
    #: Operations whose code is not the suite's own: the register of the profile does not apply to them.
    overridden: frozenset[str] = frozenset()

"""Why a backend cannot be had: what is raised where one is looked for, imported or started."""

from __future__ import annotations

__all__ = ["BackendLookupError", "BrokenBackend", "FrameworkMissing", "UnknownBackend", "UnknownOption"]


class BackendLookupError(LookupError):
    """A backend that cannot be had: ``problem`` says why, ``hint`` what to write or do instead.

    ``spec`` names the backend, unless the problem does.
    """

    def __init__(self, problem: str, hint: str, spec: str = "") -> None:
        self.problem = problem
        self.hint = hint
        self.spec = spec
        super().__init__(problem, hint, spec)  # all are arguments: the error travels between processes

    def __str__(self) -> str:
        text = f"{self.problem}\n  hint: {self.hint}"
        return f"{self.spec}: {text}" if self.spec else text


class UnknownBackend(BackendLookupError):
    """No backend, file, module or attribute of that name, or more than one where one is needed."""


class UnknownOption(BackendLookupError):
    """The backend has no such word for any of its options, or one of them has two."""


class FrameworkMissing(BackendLookupError):
    """The backend is known, but its framework is not installed."""


class BrokenBackend(BackendLookupError):
    """The backend's file, module or framework fails on import, or the backend cannot be started."""

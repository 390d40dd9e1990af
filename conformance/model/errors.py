"""Errors that a user meets: what is wrong, where, and a hint."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

__all__ = [
    "BackendUnavailable",
    "CaseError",
    "CaseErrors",
    "HarnessError",
    "Place",
    "UsageError",
    "line_of_json",
    "problem_and_key",
]

_AT = re.compile(r" - at `(?:key` in `)?\$([^`]*)`\Z")
_BYTE = re.compile(r"\(byte (\d+)\)\Z")
_LONGEST = 1000  # characters of a problem, a hint or a key


@dataclass(frozen=True)
class Place:
    """A position in a file: line and column count from 1, ``key`` is a dotted path such as ``cases[2].axis``."""

    file: Path | str
    line: int | None = None
    key: str | None = None

    def __str__(self) -> str:
        where = str(self.file)
        if self.line is not None:
            where += f":{self.line}"
        if self.key:
            where += f": {self.key}"
        return where


def problem_and_key(error: Exception) -> tuple[str, str | None]:
    """What msgspec says is wrong, and the dotted path of the key at fault; None where it names none.

    It says ``Expected `int`, got `str` - at `$.a[...].b```, and of the key of a mapping ``at `key` in `$.a```.
    """
    said = str(error)
    found = _AT.search(said)
    problem, key = (said[: found.start()], found[1].removeprefix(".")) if found else (said, "")
    first = problem[:1].lower() if problem[1:2].islower() else problem[:1]  # "Expected", and not "JSON"
    return first + problem[1:], key or None


def line_of_json(error: Exception, text: bytes) -> tuple[int | None, bool]:
    """The line of ``text`` where msgspec found it not to be JSON, if it names one, and whether the text is cut off.

    It says ``JSON is malformed: invalid character (byte 3)``, and ``Input data was truncated``.
    """
    if not text.strip() or str(error) == "Input data was truncated":
        return text.count(b"\n") + 1, True
    found = _BYTE.search(str(error))
    return text.count(b"\n", 0, int(found[1])) + 1 if found else None, False


class UsageError(Exception):
    """Wrong usage or wrong data of the user's: exit code 2.

    ``hint`` says what to write or do instead.
    """

    def __init__(self, problem: str, *, place: Place | None = None, hint: str | None = None) -> None:
        self.problem = problem
        self.place = place
        self.hint = hint
        super().__init__(str(self))

    def __str__(self) -> str:
        return self.reason

    @property
    def reason(self) -> str:
        """Place, problem and hint, without the name of the backend whose error it is."""
        text = f"{self.place}: {self.problem}" if self.place else self.problem
        return f"{text}\n  hint: {self.hint}" if self.hint else text

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.problem, self.place, self.hint))


def _rebuild(kind: type[UsageError], problem: str, place: Place | None, hint: str | None) -> UsageError:
    return kind(problem, place=place, hint=hint)


class CaseError(UsageError):
    """A case file that cannot be used: exit code 2. What it quotes of the file is cut to a line that can be read."""

    def __init__(self, problem: str, *, place: Place | None = None, hint: str | None = None) -> None:
        if place is not None and place.key is not None:
            place = replace(place, key=_cut(place.key))
        super().__init__(_cut(problem), place=place, hint=None if hint is None else _cut(hint))

    @property
    def errors(self) -> tuple[CaseError, ...]:
        """The single errors, in the order of the files."""
        return (self,)


class CaseErrors(CaseError):
    """Everything that is wrong in a set of case files, so that it can be corrected in one go.

    ``place`` and ``hint`` are those of the first of ``errors``.
    """

    def __init__(self, errors: Sequence[CaseError]) -> None:
        self._errors = tuple(errors)
        first = self.errors[0]
        super().__init__(first.problem, place=first.place, hint=first.hint)

    @property
    def errors(self) -> tuple[CaseError, ...]:
        """The single errors, in the order of the files."""
        return self._errors

    def __str__(self) -> str:
        text = "\n".join(str(error) for error in self.errors)
        return f"{text}\n{len(self.errors)} errors in case files" if len(self.errors) > 1 else text

    def __reduce__(self) -> tuple[object, ...]:
        return (CaseErrors, (self.errors,))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


class BackendUnavailable(UsageError):
    """A backend that is unknown, not installed, or cannot be loaded: exit code 2 when the user named it.

    ``spec`` names it, unless the problem does; ``reason`` is for where it is named already.
    """

    def __init__(self, problem: str, *, place: Place | None = None, hint: str | None = None, spec: str = "") -> None:
        self.spec = spec
        super().__init__(problem, place=place, hint=hint)

    def __str__(self) -> str:
        return f"{self.spec}: {self.reason}" if self.spec else self.reason

    def __reduce__(self) -> tuple[object, ...]:
        return (partial(BackendUnavailable, place=self.place, hint=self.hint, spec=self.spec), (self.problem,))


class HarnessError(Exception):
    """The harness cannot go on (a full disk, a folder that cannot be written): exit code 3."""

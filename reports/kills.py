"""The kill matrix as data: which wrong backends the cases find out.

``python -m tests.yardstick matrix`` publishes it; a page of the site shows it, and docs have a summary.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from conformance.model.errors import UsageError

__all__ = ["FILE", "FlagKills", "Kills", "WrongBackend", "groups", "read_kills"]

#: Where a checkout keeps the matrix; an installed suite has none.
FILE = Path(__file__).resolve().parent / "published" / "kills.json"


class WrongBackend(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A sound kernel with one thing wrong, and what finds it out.

    ``cases`` counts those that it fails; ``example`` is the one of them in which the fewest ``checks`` fail. ``quick``
    is a case and dtype of the quick selection that it fails.
    """

    defect: str
    cases: int
    example: str = ""
    checks: list[str] = []
    quick: tuple[str, str] | None = None


class FlagKills(msgspec.Struct, frozen=True, kw_only=True):
    """What the cases of a flag kill; ``rarest`` are those of them that the fewest cases kill."""

    cases: int
    kills: int
    rarest: list[str]


class Kills(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The kill matrix.

    ``cases`` were tried, ``useful`` of them kill something, ``sole`` what no other case kills; ``single`` wrong
    backends are killed by one case only, and ``only`` counts those that a dtype alone kills. ``wrong`` goes by module
    and class. ``note`` says what was not held against what, where that is so.
    """

    cases: int
    useful: int
    single: int
    sole: int
    only: dict[str, int]
    wrong: dict[str, WrongBackend]
    flags: dict[str, FlagKills]
    note: str = ""


def read_kills(path: Path = FILE) -> Kills | None:
    """The matrix in ``path``, or None where there is none. Raises UsageError for a file that does not hold one."""
    if not path.is_file():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=Kills)
    except (OSError, msgspec.DecodeError) as error:
        hint = "write it anew: python -m tests.yardstick matrix"
        raise UsageError(f"{path}: not a kill matrix: {error}", hint=hint) from None


def groups(kills: Kills) -> Iterator[tuple[str, dict[str, WrongBackend]]]:
    """The wrong backends by module, each by the name of its class."""
    found: dict[str, dict[str, WrongBackend]] = {}
    for title, wrong in kills.wrong.items():
        module, _, name = title.partition(".")
        found.setdefault(module, {})[name] = wrong
    yield from found.items()

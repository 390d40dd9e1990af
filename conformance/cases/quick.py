"""``cases/quick.yaml``: the few cases and dtypes that ``run --quick`` takes.

The file is generated (``python -m tests.yardstick matrix``): a cover of all wrong backends that the tests know, chosen
for few calls and few shapes, as frameworks that compile start anew for each shape. It only selects: what it asks of a
case in a dtype is what the whole suite asks of it there.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from conformance.cases.complaints import read_as
from conformance.cases.load import Entry
from conformance.model.dtypes import DtypeName
from conformance.model.errors import CaseError

__all__ = ["Quick", "load_quick", "narrowed"]

Dtypes = Annotated[list[DtypeName], msgspec.Meta(min_length=1)]


class Quick(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Case ids, each with the dtypes that it is run in, those that find out most first."""

    quick: dict[str, Dtypes]


def load_quick(file: Path) -> Quick:
    """Read the selection; raises CaseErrors with everything that is wrong with it."""
    return read_as(file, Quick)


def narrowed(entries: Sequence[Entry], quick: Quick, *, strict: bool = True) -> list[Entry]:
    """The entries that are selected, in the selection's order, each with the dtypes that are selected for it.

    Raises CaseError for an id that no entry has, unless ``strict`` is false.
    """
    by_id = {entry.case.id: entry for entry in entries}
    found: list[Entry] = []
    for name, dtypes in quick.quick.items():
        entry = by_id.get(name)
        if entry is not None and entry.case.tier == "full":
            raise entry.error(
                ("tier",),
                "the quick selection takes this case, and the default tier leaves it out for some backends",
                "leave out the tier, or write the selection anew: python -m tests.yardstick matrix",
            )
        if entry is not None:
            found.append(entry.narrowed(dtypes))
        elif strict:
            raise CaseError(
                f"the quick selection names '{name}', and no case has this id",
                hint="write the selection anew: python -m tests.yardstick matrix",
            )
    return found

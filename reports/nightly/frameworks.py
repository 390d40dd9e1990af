"""What the nightly knows of each framework: what its environment installs, which backends it asks, which releases."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
from packaging.requirements import InvalidRequirement, Requirement

from conformance.cases.yaml12 import read
from conformance.model.errors import Place, UsageError

__all__ = ["LISTED", "Framework", "read_frameworks", "requirements_of"]

LISTED = Path(__file__).with_name("frameworks.yaml")
Text = Annotated[str, msgspec.Meta(min_length=1)]
_HINT = "write `framework: {extras: [extra], backends: [spec], released: [[package==version]], cases: {spec: folder}}`"


class Framework(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One environment: the extras of the suite that it has, and the backends that are run in it.

    ``packages`` are what pip installs by name, beside what the extras name.
    ``released`` are sets of requirements, the oldest first, each beginning with the framework's own version.
    ``asked`` are the backends that these are asked for, where they are not all.
    ``cases`` is, by the backend, what it is asked by night where it is not the whole corpus: a file or folder of the
    checkout.
    """

    backends: Annotated[list[Text], msgspec.Meta(min_length=1)]
    extras: list[Text] = []
    packages: list[Text] = []
    released: list[Annotated[list[Text], msgspec.Meta(min_length=1)]] = []
    asked: list[Text] = []
    cases: dict[Text, Text] = {}

    @property
    def versions(self) -> dict[str, list[str]]:
        """The released versions: by what pip installs for each."""
        return {requirements[0].partition("==")[2]: requirements for requirements in self.released}


def read_frameworks(file: Path = LISTED) -> dict[str, Framework]:
    """The frameworks that ``file`` lists. Raises UsageError where it has not that form."""
    try:
        found = msgspec.convert(read(file), dict[Text, Framework])
    except msgspec.ValidationError as error:
        raise UsageError(str(error), place=Place(file), hint=_HINT) from None
    for name, framework in found.items():
        for requirements in framework.released:
            if not requirements[0].partition("==")[2]:
                hint = "begin with the framework's own version, as in `[jax==0.4.38, optax==0.2.4]`"
                raise UsageError(f"{name}: '{requirements[0]}' names no version", place=Place(file), hint=hint)
        for backend in framework.cases:
            if backend not in framework.backends:
                hint = f"its backends are {', '.join(framework.backends)}"
                raise UsageError(f"{name}: cases of '{backend}', which is not run", place=Place(file), hint=hint)
    return found


def requirements_of(framework: Framework, checkout: Path) -> list[str]:
    """The packages that the framework and its extras name. Raises UsageError for an extra that there is not."""
    file = checkout / "pyproject.toml"
    extras: Mapping[str, list[str]] = tomllib.loads(file.read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]
    names = dict.fromkeys(framework.packages)
    for extra in framework.extras:
        if extra not in extras:
            raise UsageError(f"no extra '{extra}'", place=Place(file), hint=f"there are {', '.join(extras)}")
        for line in extras[extra]:
            try:
                named = Requirement(line)
            except InvalidRequirement as error:
                raise UsageError(str(error), place=Place(file)) from None
            if named.marker is None or named.marker.evaluate():
                names[named.name] = None
    return [*names]

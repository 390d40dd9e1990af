"""Which test backends there are, what they are called, and what they are held to."""

from __future__ import annotations

import importlib
import importlib.util
import os
import pkgutil
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import msgspec

from conformance.backends.adapters.numpy import Numpy
from conformance.backends.contract import Backend
from conformance.cases.load import Entry, load_suite
from conformance.places import PROFILES, ROOT
from conformance.profiles.load import load_profile
from conformance.profiles.profile import UNDECLARED, Profile
from conformance.profiles.subject import Subject
from conformance.reports.kills import read_kills
from conformance.run.plan import RunBudget
from tests.yardstick import exact, sound, wrong

__all__ = [
    "CASES",
    "Kind",
    "kind_of",
    "name_of",
    "recorded_pairs",
    "right_backends",
    "subject",
    "suite",
    "title",
    "wrong_backends",
]

Kind = type[Backend]
#: The environment variable that names other cases than the suite's own.
CASES = "YARDSTICK_CASES"


def suite() -> Sequence[Entry]:
    """The suite's own cases that a run does not leave out; the environment variable YARDSTICK_CASES names others."""
    entries = load_suite([Path(os.environ.get(CASES, ROOT / "cases"))]).entries
    return [entry for entry in entries if not RunBudget().excess(entry.case)]


def right_backends() -> list[Kind]:
    """The truth, the worst that is legal, and sound evaluations."""
    return [*exact.RIGHT, *sound.SOUND]


def wrong_backends(file: Path | None = None) -> list[Kind]:
    """Every class in a module of ``wrong``, or in ``file``, whose name does not begin with an underscore."""
    if file is not None:
        return _defined_in(_loaded(file))
    names = [f"{wrong.__name__}.{info.name}" for info in pkgutil.iter_modules(wrong.__path__)]
    return [kind for name in names for kind in _defined_in(importlib.import_module(name))]


def recorded_pairs() -> dict[str, tuple[str, str]]:
    """Of each wrong backend in the kill matrix, a case and dtype of the quick selection that killed it."""
    kills = read_kills()
    return {} if kills is None else {name: each.quick for name, each in kills.wrong.items() if each.quick}


def _defined_in(module: ModuleType) -> list[Kind]:
    own = [kind for kind in vars(module).values() if getattr(kind, "__module__", "") == module.__name__]
    return [kind for kind in own if isinstance(kind, type) and issubclass(kind, Backend) and kind.__name__[0] != "_"]


def _loaded(file: Path) -> ModuleType:
    """The module of a file, imported once in a process."""
    name = file.stem
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, file)
        if spec is None or spec.loader is None:
            raise SystemExit(f"{file}: not a Python file")
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        module.__dict__["__yardstick_file__"] = str(file)
        spec.loader.exec_module(module)
    return sys.modules[name]


def title(kind: Kind) -> str:
    """The module and the class, which name a wrong backend everywhere."""
    return f"{kind.__module__.rpartition('.')[2]}.{kind.__name__}"


def name_of(kind: Kind) -> tuple[str, str, str]:
    """What another process finds the class by."""
    file = vars(sys.modules[kind.__module__]).get("__yardstick_file__", "")
    return str(file), kind.__module__, kind.__name__


def kind_of(name: tuple[str, str, str]) -> Kind:
    """The class that :func:`name_of` named."""
    file, module, kind = name
    found: Kind = getattr(_loaded(Path(file)) if file else importlib.import_module(module), kind)
    return found


def subject(kind: Kind) -> Subject:
    """What a backend is held to: NumPy's declarations for what derives from it, else nothing but the normative
    choices; ``classes`` and ``policies`` of the class, where it has them, are declared on top.
    """
    profile = load_profile(PROFILES / "numpy.yaml") if issubclass(kind, Numpy) else UNDECLARED
    return Subject(kind.__name__, profile=_declared(profile, kind))


def _declared(profile: Profile, kind: Kind) -> Profile:
    classes, policies = getattr(kind, "classes", None), getattr(kind, "policies", None)
    if classes is not None:
        profile = msgspec.structs.replace(profile, classes=classes)
    return profile if policies is None else msgspec.structs.replace(profile, policies={**profile.policies, **policies})

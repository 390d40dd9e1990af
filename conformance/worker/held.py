"""What the harness calls within a backend's process, held as it is before any code of the backend's is loaded.

A kernel may put something else in the place of any builtin or of any function of a module: the modules that make its
calls go on with what is held here. Importing this module imports no NumPy: thread pools read their environment
variables when they are loaded.
"""

from __future__ import annotations

import builtins
import faulthandler
import math
import mmap
import os
import signal
import warnings
from operator import is_not
from types import ModuleType
from typing import Any

__all__ = ["faulthandler", "hold_builtins", "hold_numpy", "math", "mmap", "os", "replaced", "signal", "warnings"]

_BUILTINS = dict(vars(builtins))


def hold_builtins(module: dict[str, Any]) -> None:
    """Give the functions that a module defines from here on builtins that nobody else has; ``module`` are its names."""
    module["__builtins__"] = _BUILTINS


hold_builtins(globals())

_MODULES: dict[str, tuple[ModuleType, dict[str, Any]]] = {}  # each, and what it held


def _held(module: ModuleType) -> ModuleType:
    """A copy of a module, which nobody else has."""
    copy = ModuleType(module.__name__)
    vars(copy).update(vars(module))
    _MODULES[module.__name__] = module, vars(copy)
    return copy


_MODULES["builtins"] = builtins, _BUILTINS
for _each in (faulthandler, math, mmap, os, signal, warnings):
    globals()[_each.__name__] = _held(_each)


def hold_numpy() -> Any:
    """NumPy as it was when this was called first."""
    if "numpy" not in globals():
        import numpy

        globals()["numpy"] = _held(numpy)
    return globals()["numpy"]


def replaced() -> list[str]:
    """The names that are no longer what they were, such as ``builtins.open``."""
    found: list[str] = []
    for name, (module, before) in _MODULES.items():
        now = vars(module)
        if any(map(is_not, map(now.get, before), before.values())):  # equal to it may be what says so
            found += (f"{name}.{each}" for each, value in before.items() if now.get(each) is not value)
    return found

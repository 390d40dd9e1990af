"""The former names of modules and of attributes, for the files of users.

A module's (``backends.torch``, ``conformance.backends.torch``, ...) stands for the very module that has the code now,
so that no class exists twice. A package of the user's own that is called ``backends`` wins over ours. An attribute's
is refused.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from conformance.backends.setup import Setup

__all__ = ["accept_former_prepare", "install", "require_present_names", "takes_either_call"]

OURS = "conformance.backends"
HERE = Path(__file__).resolve().parent
#: What classes of earlier versions defined, and what has taken its place.
_ATTRIBUTES = {
    "modes": "executions",
    "compiled_modes": "compiled",
    "directional": "jvp",
    "hessian_product": "hvp",
    "mapped": "vmap",
    "second_backward": "second_vjp",
    "device_seconds": "runtime.device.seconds",
    "device_peak_bytes": "runtime.device.peak_bytes",
    "device_streams": "runtime.device.streams",
    "device_evict": "runtime.device.evict",
    "script": "a template, backends/snippets/NAME.py.j2",
}


class _Existing(Loader):
    """Gives the module ``name``, which exists already or is imported under that name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        self._module = importlib.import_module(self._name)
        self._spec = self._module.__spec__
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec  # the machinery has written that of the former name


class _Former(MetaPathFinder):
    """Finds former names; all else is left to Python."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        top, _, rest = fullname.removeprefix("conformance.").partition(".")
        if top != "backends":
            return None
        if fullname == "backends":
            return _of_the_user() or _existing(fullname, OURS)
        short = fullname.startswith("backends.")
        if short and sys.modules.get("backends") is not sys.modules[OURS]:
            return None  # a submodule of the user's own package
        if (HERE / "adapters" / f"{rest}.py").is_file():
            return _existing(fullname, f"{OURS}.adapters.{rest}")
        if not short:
            return None
        known = importlib.util.find_spec(f"{OURS}.{rest}") is not None
        return _existing(fullname, f"{OURS}.{rest}") if known else _beside(fullname)


def _existing(fullname: str, name: str) -> ModuleSpec:
    return ModuleSpec(fullname, _Existing(name), is_package=name == OURS)


def _of_the_user() -> ModuleSpec | None:
    """A package of that name on the path that is not ours; a folder without ``__init__`` is not yet one."""
    for entry in sys.path:
        found = PathFinder.find_spec("backends", [entry])
        if found is not None and found.origin and not _is_ours(Path(found.origin).parent):
            return found
    return None


def _is_ours(folder: Path) -> bool:
    """Whether a package is the suite's, in this or in another checkout."""
    return (folder / "discovery.py").is_file() and (folder / "profiles" / "numpy.yaml").is_file()


def _beside(fullname: str) -> ModuleSpec | None:
    """A module in a folder ``backends`` of the user's that is not a package."""
    return PathFinder.find_spec(fullname, [str(Path(entry, "backends")) for entry in sys.path])


def require_present_names(kind: type) -> None:
    """Raises TypeError where the class of a backend defines what is not read any more."""
    for former, name in _ATTRIBUTES.items():
        if former in vars(kind):
            raise TypeError(f"{kind.__name__}.{former} is not read: use {name} (docs/backends.md)")


def takes_either_call(prepare: Callable[..., None]) -> Callable[..., None]:
    """``prepare`` as it is written now, with a setup, or as it was: called in either way, it is given what it takes.

    It was ``prepare(cls, *, threads, cache)``, or without the cache, and knew nothing of the options.
    """
    _, *own = inspect.signature(prepare).parameters.values()
    named = {each.name for each in own}
    rest = any(each.kind is each.VAR_KEYWORD for each in own)
    by_place = any(each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD, each.VAR_POSITIONAL) for each in own)
    taken = [name for name in ("threads", "cache") if name in named or rest]

    @wraps(prepare)
    def either(cls: type, setup: Setup | None = None, **former: Any) -> None:
        given = Setup(**former) if setup is None else setup
        if "threads" in named or (taken and not by_place):
            prepare(cls, **{name: getattr(given, name) for name in taken})
        else:
            prepare(cls, given)

    return either


def accept_former_prepare(kind: type) -> None:
    """Let the class's own ``prepare``, if it has one, be written and called as it was."""
    own = vars(kind).get("prepare")
    if isinstance(own, classmethod):
        kind.prepare = classmethod(takes_either_call(own.__func__))  # type: ignore[attr-defined]


def install() -> None:
    """From now on the former names are found. A second time it does nothing."""
    if not any(type(each).__module__ == __name__ and type(each) is _Former for each in sys.meta_path):
        sys.meta_path.insert(0, _Former())

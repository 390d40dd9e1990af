"""Imports the file or module of a backend, and takes the backend from it."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from conformance.backends.contract import Backend
from conformance.backends.errors import BrokenBackend, UnknownBackend
from conformance.plain import command_line

__all__ = ["broken", "imported", "load_file", "named_backend", "only_backend"]


def load_file(spec: str, file: str) -> ModuleType:
    """The module in a file of a user's, run anew. Raises BrokenBackend."""
    path = Path(file).resolve()
    name = f"conformance_user_backend_{abs(hash(str(path)))}_{path.stem}"
    loader = importlib.util.spec_from_file_location(name, path)
    assert loader is not None and loader.loader is not None
    module = importlib.util.module_from_spec(loader)
    sys.modules[name] = module
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))  # last: a file next to it must not shadow a framework
    try:
        loader.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise broken(spec, "fails on import", error) from error
    return module


def imported(spec: str, name: str) -> ModuleType:
    """The module of that name. Raises BrokenBackend."""
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        raise broken(spec, "fails on import", error) from error


def broken(spec: str, what: str, error: BaseException) -> BrokenBackend:
    """What is raised for a backend whose code has raised ``error``: its hint names the line to correct."""
    place = _last_line_in_user_code(error)
    text = str(error) or "no message"
    hint = f"correct {place}" if place else "correct what the message says, or the framework's installation"
    if isinstance(error, ModuleNotFoundError) and (error.name or "").startswith(f"{__package__}."):
        hint = f"write {Path(__file__).parent.joinpath(*str(error.name).split('.')[2:])}.py, or correct its name"
    elif isinstance(error, ModuleNotFoundError) and error.name:
        package = command_line("pip", "install", error.name.partition(".")[0])
        hint = f"{package}, or correct the import{f' in {place}' if place else ''}"
    return BrokenBackend(f"{what}: {type(error).__name__}: {text}", hint, spec)


def only_backend(spec: str, module: ModuleType, asked: Sequence[str] = ()) -> type[Backend] | Backend:
    """The one that a module defines; ``asked`` are the words of the spec, of which none is a name in it.

    Raises UnknownBackend where there is none, or several, BrokenBackend where it is not complete.
    """
    found = _candidates(module)
    place = getattr(module, "__file__", None) or module.__name__
    if len(found) == 1:
        (backend,) = found.values()
        return _complete(spec, backend)
    if not found:
        raise UnknownBackend(f"no class derived from Backend in {place}", "derive one from an adapter's class", spec)
    asked_for = f", and none is {asked[0]!r}" if asked else ""
    hint = f"name one: {Path(place).name}:{next(iter(found))}"
    raise UnknownBackend(f"{place} defines several backends ({_listed(found)}){asked_for}", hint, spec)


def named_backend(spec: str, module: ModuleType, name: str, place: str) -> type[Backend] | Backend:
    """The class or instance ``name``, dots included, of the ``module`` at ``place``.

    Raises UnknownBackend where it is none, BrokenBackend where it is not complete.
    """
    target: Any = module
    for part in name.split("."):
        target = getattr(target, part, None)
    if isinstance(target, Backend) or (isinstance(target, type) and issubclass(target, Backend)):
        return _complete(spec, target)
    what = "is not a Backend" if target is not None else "does not exist"
    raise UnknownBackend(f"{name} {what} in {place}", f"name one of {_listed(_candidates(module))}", spec)


def _last_line_in_user_code(error: BaseException) -> str:
    """``file:line`` of the last frame outside Python, the installed packages and this one, if there is any."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    place, trace = "", error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith(("<", str(Path(__file__).parent))) and not {"site-packages", "importlib"} & {
            *Path(file).parts
        }:
            place = f"{file}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def _candidates(module: ModuleType) -> dict[str, type[Backend] | Backend]:
    """Public Backend classes defined in ``module``, else public instances."""
    public = {name: value for name, value in vars(module).items() if not name.startswith("_")}
    classes: dict[str, type[Backend] | Backend] = {
        name: value
        for name, value in public.items()
        if isinstance(value, type) and issubclass(value, Backend) and value.__module__ == module.__name__
    }
    return classes or {name: value for name, value in public.items() if isinstance(value, Backend)}


def _complete(spec: str, backend: type[Backend] | Backend) -> type[Backend] | Backend:
    if isinstance(backend, type) and inspect.isabstract(backend):
        missing = ", ".join(sorted(backend.__abstractmethods__))
        raise BrokenBackend(f"{backend.__name__} lacks {missing}", "define them, or derive from an adapter", spec)
    return backend


def _listed(found: Mapping[str, object]) -> str:
    return ", ".join(found) or "(there is none)"

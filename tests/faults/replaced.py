"""Kinds that put other functions in the place of those of Python's modules and NumPy."""

from __future__ import annotations

import builtins
import inspect
import json
import math
import mmap
import os
import pathlib
import signal
import struct
import threading
import time
import warnings
from types import ModuleType
from typing import Any

import msgspec
import numpy as np

from tests.faults.table import kind


def _replaces(*modules: ModuleType, kept: tuple[str, ...] = (), **checks: str) -> None:
    """A kind that puts a function that raises in the place of all that can be called in the ``modules``."""

    def raises(*_: Any, **__: Any) -> Any:
        raise Replaced

    def act(value: Any, logits: Any) -> Any:
        for module, names in todo:
            for name in names:
                change(module, name, raises)
        return value

    change = setattr
    todo = [
        (each, [name for name, value in vars(each).items() if callable(value) and name[0] != "_" and name not in kept])
        for each in modules
    ]
    act.__name__ = f"replaces_all_of_{modules[0].__name__}"
    act.__doc__ = f"What can be called in ``{modules[0].__name__}`` raises"
    kind(group="alone", **checks)(act)


class Replaced(Exception):
    """What a function raises that stands in the place of another."""


# What is kept, the adapters and runtimes of the suite's call themselves when a result is handed over.
_replaces(builtins, gradient="fail", process="fail")
_replaces(os, process="fail")
_replaces(time)
_replaces(json)
_replaces(msgspec, msgspec.json, msgspec.msgpack, msgspec.structs)
_replaces(np, kept=("asarray",), gradient="fail", process="fail")
for _each in (math, mmap, signal, threading, warnings):
    _replaces(_each, process="fail")
for _each in (inspect, pathlib, struct):
    _replaces(_each)


@kind(group="alone", process="fail")
def replaces_builtins(value: Any, logits: Any) -> Any:
    """``print``, ``open`` and ``input`` are something else."""
    for name in ("print", "open", "input"):
        setattr(builtins, name, None)
    return value


@kind(group="state", process="fail")
def replaces_a_builtin_by_its_equal(value: Any, logits: Any) -> Any:
    """In the place of ``sum`` is an object that equals everything."""

    class Equal:
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None  # type: ignore[assignment]

    builtins.sum = Equal()  # type: ignore[assignment]
    return value


@kind(group="alone", gradient="fail", process="fail")
def replaces_what_every_function_calls(value: Any, logits: Any) -> Any:
    """``isinstance`` says no."""
    builtins.isinstance = lambda *_: False  # type: ignore[assignment]
    return value

"""Kinds that take memory without end."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import Any

import numpy as np

from tests.faults.table import kind

memory = partial(kind, "crash", "MemoryLimit", group="memory")


def _fill() -> None:
    held = []
    while True:
        held.append(np.ones(1 << 22))  # 32 MiB
        time.sleep(0.01)


@memory()
def balloons(value: Any, logits: Any) -> Any:
    """Arrays that are kept, one after the other."""
    _fill()


@memory()
def balloons_in_children(value: Any, logits: Any) -> Any:
    """The same in a forked child, which it waits for."""
    if (child := os.fork()) == 0:
        _fill()
    os.waitpid(child, 0)
    return value


@memory()
def balloons_in_a_file_without_a_name(value: Any, logits: Any) -> Any:
    """A file in memory that nothing maps."""
    file = os.memfd_create("grows")
    while True:
        os.write(file, bytes(1 << 25))
        time.sleep(0.01)


@memory()
def balloons_in_shared_memory(value: Any, logits: Any) -> Any:
    """The same under a name that stays."""
    with open(f"/dev/shm/conformance-{os.environ['CONFORMANCE_FAULTS']}", "wb") as file:
        while True:
            file.write(bytes(1 << 25))
            time.sleep(0.01)


@kind("fail", "MemoryError", group="memory")
def asks_for_more_than_there_is(value: Any, logits: Any) -> Any:
    """A petabyte at once."""
    return np.ones(1 << 47)

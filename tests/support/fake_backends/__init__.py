"""Fake backends over NumPy: a sound one, and one class for each way in which a backend can go wrong.

``create`` takes a class's name where the real discovery takes a specification.
"""

from __future__ import annotations

import gc
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.fake_backends import sound  # isort: skip (first: it notes whether NumPy was there already)
from conformance.backends.setup import Setup
from tests.support.fake_backends import answers, deaths, pipes, starts

if TYPE_CHECKING:
    from conformance.backends.contract import Backend

TRIGGER = sound.TRIGGER
_KINDS = {**vars(sound), **vars(answers), **vars(deaths), **vars(pipes), **vars(starts)}


def create(spec: str, threads: int, cache: Path | None = None) -> Backend:
    kind: type[Backend] = _KINDS[spec]
    kind.prepare(Setup(threads=threads, cache=cache))
    return kind(threads=threads)


def threads_at_import(spec: str, threads: int, cache: Path | None = None) -> Backend:
    """A creator for ``Sound`` that shows whether NumPy was there before the thread pools were set."""
    backend = create("Sound", threads)
    backend.settings = lambda: {"early": str(sound.NUMPY_WAS_EARLY)}  # type: ignore[method-assign]
    return backend


def shows_collection(spec: str, threads: int, cache: Path | None = None) -> Backend:
    """A creator for backends that show how Python's garbage collection is set when they describe themselves."""
    backend = create(spec, threads)
    backend.settings = lambda: {  # type: ignore[method-assign]
        "collects": str(gc.isenabled()),
        "threshold": str(gc.get_threshold()),
    }
    return backend

"""Tests of an adapter are marked by what they need: those of any library but NumPy need a framework."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.backends.discovery import names

HERE = Path(__file__).parent


@pytest.fixture(scope="module", autouse=True)
def _each_program_is_compiled_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """JAX keeps what it compiles, as in a run: a third of what these tests ask lowers to the same programs.

    It reads the variables when it is imported.
    """
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path_factory.mktemp("compiled")))
        patched.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    frameworks = {*names()} - {"numpy"}
    for item in items:
        given = getattr(item, "callspec", None)
        if item.path.parent == HERE and given is not None:
            specs = {str(value).partition(":")[0] for value in given.params.values() if isinstance(value, str)}
            if specs & frameworks:
                item.add_marker("framework")

"""Tests of an adapter are marked by what they need: those of any library but NumPy need a framework."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.backends.discovery import names

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    frameworks = {*names()} - {"numpy"}
    for item in items:
        given = getattr(item, "callspec", None)
        if item.path.parent == HERE and given is not None:
            specs = {str(value).partition(":")[0] for value in given.params.values() if isinstance(value, str)}
            if specs & frameworks:
                item.add_marker("framework")

"""The pytest plugin: ``pytest --conformance-backend torch cases/`` collects case files as tests.

pytest imports this module whenever the suite is installed, so nothing else is imported until a backend is asked for.
"""

from __future__ import annotations

import pytest

__all__ = ["pytest_addoption", "pytest_configure"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, all called ``--conformance-…``."""
    group = parser.getgroup("conformance", "softmax cross-entropy conformance")
    group.addoption(
        "--conformance-backend",
        action="append",
        default=[],
        metavar="SPEC",
        help="collect case files (*.yaml) as tests of this backend: NAME, NAME:option, path/to/file.py or "
        "package.module:attribute; repeat for several",
    )
    group.addoption(
        "--conformance-dtype",
        action="append",
        default=[],
        metavar="DTYPE",
        help="only this dtype (float64, float32, bfloat16, float16); repeat for several",
    )
    group.addoption(
        "--conformance-timeout", type=float, default=60.0, metavar="SECONDS", help="limit for one call (default: 60)"
    )
    group.addoption(
        "--conformance-no-identities",
        action="store_true",
        help="leave out the transformed calls of the identities (shift, permutation, split, …)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Load the rest if a backend was named. Raises UsageError for a backend, dtype or limit that cannot be."""
    if not config.getoption("conformance_backend"):
        return
    from conformance.model.errors import UsageError
    from conformance.plugin.collection import Collection

    try:
        collection = Collection.configured(config)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None
    config.pluginmanager.register(collection, "conformance-collection")

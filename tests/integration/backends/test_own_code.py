"""The suite's own adapters are known to be its own: otherwise no known defect of a framework is recognised."""

from __future__ import annotations

import pytest

from conformance.backends.discovery import create
from conformance.backends.errors import BackendLookupError
from conformance.worker.session import InlineSession


@pytest.mark.framework
@pytest.mark.parametrize("spec", ["numpy", "torch", "torch:compile", "jax", "optax", "tensorflow"])
def test_no_operation_of_an_adapter_of_the_suite_is_taken_for_a_users_own(spec: str) -> None:
    try:
        backend = create(spec, threads=1)
    except BackendLookupError as error:
        pytest.skip(str(error))
    assert InlineSession(backend).describe().overridden == ()

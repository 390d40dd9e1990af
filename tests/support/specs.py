"""What the tests of specs share: files of backends, and what is said of a spec that finds none."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from conformance.backends.discovery import create
from conformance.backends.errors import BackendLookupError

__all__ = ["ONE", "TWO", "require_refused", "write"]

#: A file of one backend, and one of two and an instance.
ONE = """
    import numpy as np
    from conformance.backends.adapters.numpy import Numpy

    class Mine(Numpy):
        executions = ("eager", "fast")

        def softmax(self, logits, *, axis):
            return np.ones_like(logits)
"""
TWO = (
    ONE
    + """
    class Other(Mine):
        pass

    ready = Other(mode="fast")
"""
)


def write(path: Path, text: str) -> str:
    """A file of ``text`` without its indent; its path."""
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return str(path)


def require_refused(kind: type[BackendLookupError], spec: str, *words: str) -> BackendLookupError:
    """Creating the backend fails with this error, which has a hint and says these words."""
    with pytest.raises(kind) as caught:
        create(spec)
    error = caught.value
    assert isinstance(error, LookupError) and error.problem and error.hint
    for word in words:
        assert word in str(error)
    return error

"""What a backend claims: no register entry of the framework that it builds on excuses a user's own operation."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.run.judged import open_backend

BETWEEN = """
from conformance.backends.numpy import Numpy


class Between(Numpy):
    def log_softmax(self, logits, *, axis):
        return super().log_softmax(logits, axis=axis)
"""
MINE = """
from between import Between
from conformance.backends.contract import Backend
from conformance.backends.numpy import Numpy
"""


ON_THE_INSTANCE = """
class Mine(Numpy):
    def __init__(self, **options):
        super().__init__(**options)
        self.softmax = lambda logits, axis: logits
"""


def foreign(folder: Path, kind: str) -> tuple[frozenset[str], str]:
    (folder / "between.py").write_text(BETWEEN)
    (folder / "mine.py").write_text(MINE + kind)
    with open_backend(str(folder / "mine.py")) as backend:
        return backend.subject.overridden, backend.subject.profile.backend


OPERATIONS = frozenset({"softmax", "log_softmax", "nll_loss", "cross_entropy", "nll_loss_of_log_softmax"})


@pytest.mark.parametrize(
    ("kind", "operations"),
    [
        ("class Mine(Numpy): pass", frozenset()),
        (
            "class Mine(Numpy):\n    def softmax(self, logits, *, axis):\n        return logits",
            frozenset({"softmax"}),
        ),
        ("class Mine(Between): pass", frozenset({"log_softmax", "nll_loss_of_log_softmax"})),
        (
            "class Mine(Between):\n    profile = 'numpy'\n    def softmax(self, x, *, axis):\n        return x",
            frozenset({"softmax", "log_softmax", "nll_loss_of_log_softmax"}),
        ),
        ("class Mine(Numpy):\n    def evaluate(self, call, logits):\n        return logits", OPERATIONS),
        ("class Mine(Numpy):\n    def differentiate(self, call, logits, upstream):\n        return 1, 2", OPERATIONS),
        ("class Mine(Numpy):\n    def array(self, tensor):\n        return super().array(tensor)", OPERATIONS),
        (ON_THE_INSTANCE, frozenset({"softmax"})),
    ],
)
def test_whose_code_an_operation_is(tmp_path: Path, kind: str, operations: frozenset[str]) -> None:
    assert foreign(tmp_path, kind) == (operations, "numpy")


def test_the_suites_own_adapters_speak_for_themselves() -> None:
    with open_backend("numpy") as backend:
        assert backend.subject.overridden == frozenset() and backend.description.overridden == ()

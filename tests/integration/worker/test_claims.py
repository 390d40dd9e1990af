"""What a backend claims: no register entry of the framework that it builds on excuses a user's own operation."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.places import PROFILES
from conformance.profiles.load import load_profile
from conformance.run.judged import judged, open_backend
from tests.support.case_files import entry

pytestmark = pytest.mark.slow

BETWEEN = """
from conformance.backends.numpy import Numpy


class Between(Numpy):
    def log_softmax(self, logits, *, axis):
        return super().log_softmax(logits, axis=axis)
"""
MINE = """
from functools import partialmethod, wraps

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
ON_THE_RUNTIME = """
class Mine(Numpy):
    def __init__(self, **options):
        super().__init__(**options)
        self.runtime.vjp = lambda function, x, cotangent: (x, x)
"""
MADE_HERE = """
mine = Numpy()
mine.runtime.array = lambda tensor: tensor
"""
WRAPPED = """
def timed(function):
    @wraps(function)
    def run(self, logits, targets, **options):
        return function(self, logits, targets, **options) + 0 * logits.sum()
    return run


class Mine(Numpy):
    cross_entropy = timed(Numpy.cross_entropy)
"""
RUNTIME_OF_THE_USER = """
class Own(Numpy.runs_on):
    def array(self, tensor):
        return super().array(tensor)


class Mine(Numpy):
    runs_on = Own
"""
APPLIED_IN_BETWEEN = """
class _Middle(Numpy):
    def _apply(self, transform, call, logits, *more):
        return super()._apply(transform, call, logits, *more)


class Mine(_Middle):
    profile = "numpy"
"""
BESIDE = """
class _Beside:
    def _apply(self, transform, call, logits, *more):
        return super()._apply(transform, call, logits, *more)


class Mine(_Beside, Numpy): pass
"""
PATCHED = """
class Mine(Numpy): pass


Numpy._function = lambda self, transform, call: None
"""
DATA_ALONE = """
class Mine(Numpy):
    'Says more of itself, and does nothing.'

    framework: str = "numpy"
    profile = "numpy"
    offers = Numpy.offers
    runs_on = Numpy.runs_on
    executions = ("eager",)
    note = {"threads": [1, 2.5, None]}
"""


def foreign(folder: Path, kind: str) -> tuple[frozenset[str], str]:
    (folder / "between.py").write_text(BETWEEN)
    (folder / "mine.py").write_text(MINE + kind)
    with open_backend(str(folder / "mine.py")) as backend:
        return backend.subject.overridden, backend.subject.profile.backend


ODD_TEXTS = """
from conformance.backends.numpy import Numpy


class Word(str):
    def __eq__(self, other):
        return True

    __hash__ = str.__hash__


class Mine(Numpy):
    profile = Word("numpy")

    def versions(self):
        return {"odd \\udc80": Word("1")}
"""
OPERATIONS = frozenset({"softmax", "log_softmax", "nll_loss", "cross_entropy", "nll_loss_of_log_softmax", "log_loss"})


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
        (ON_THE_INSTANCE, OPERATIONS),
        (ON_THE_RUNTIME, OPERATIONS),
        (MADE_HERE, OPERATIONS),
        (WRAPPED, frozenset({"cross_entropy"})),
        ("class Mine(Numpy):\n    cross_entropy = partialmethod(Numpy.cross_entropy)", frozenset({"cross_entropy"})),
        (RUNTIME_OF_THE_USER, OPERATIONS),
        (APPLIED_IN_BETWEEN, OPERATIONS),
        (BESIDE, OPERATIONS),
        (PATCHED, OPERATIONS),
        (DATA_ALONE, frozenset()),
    ],
)
def test_whose_code_an_operation_is(tmp_path: Path, kind: str, operations: frozenset[str]) -> None:
    assert foreign(tmp_path, kind) == (operations, "numpy")


FRAMEWORKS = [
    pytest.param(file.stem, marks=() if file.stem == "numpy" else pytest.mark.framework)
    for file in sorted(PROFILES.glob("*.yaml"))
]


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_the_suites_own_adapters_speak_for_themselves(name: str) -> None:
    pytest.importorskip(load_profile(PROFILES / f"{name}.yaml").framework or name)
    with open_backend(name) as backend:
        assert backend.subject.overridden == frozenset() and backend.description.foreign == ()


def test_the_source_of_a_wrapped_operation_is_the_wrappers(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from functools import wraps\nfrom conformance.backends.numpy import Numpy\n" + WRAPPED
    )
    with open_backend(str(tmp_path / "mine.py")) as backend:
        source = backend.description.sources["cross_entropy"]
    assert source.file.endswith("mine.py") and "0 * logits.sum()" in source.text


def test_texts_of_another_class_or_that_cannot_be_encoded_become_plain(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(ODD_TEXTS)
    with open_backend(str(tmp_path / "mine.py")) as backend:
        said = backend.description
    assert (said.profile, said.versions) == ("numpy", {"odd \\udc80": "1"})


def test_the_composition_lies_where_its_replaced_part_does(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from conformance.backends.numpy import Numpy\n\n\nclass Mine(Numpy):\n"
        "    def nll_loss(self, log_probabilities, targets, **options):\n        return log_probabilities.sum()\n"
    )
    with open_backend(str(tmp_path / "mine.py")) as backend:
        sources = backend.subject.sources or {}
    assert sources["nll_loss_of_log_softmax"] == sources["nll_loss"] and sources["nll_loss"].endswith("mine.py:5")


WITHOUT_PROBABILITIES = """
import numpy as np

from conformance.backends.adapters.base import Adapter, Offers
from conformance.backends.runtimes.numpy import NumpyRuntime


class Mine(Adapter):
    framework = "numpy"
    profile = ""
    runs_on = NumpyRuntime
    offers = Offers(operations={"cross_entropy": "native"}, FEATURE)

    def cross_entropy(self, logits, targets, *, reduction, **options):
        return self.reduced(np.zeros(targets.shape, logits.dtype), reduction, np.mean, np.sum)
"""


@pytest.mark.parametrize(("feature", "verdict"), [('probability_targets="unsupported"', "unsupported"), ("", "fail")])
def test_class_probabilities_that_are_declared_unsupported_are_not_judged(
    tmp_path: Path, feature: str, verdict: str
) -> None:
    case = entry(tmp_path, "logits: [[1.0, 2.0]]\ntargets: [[0.5, 0.5]]\ndtypes: [float32]\nreductions: [sum]")
    (tmp_path / "mine.py").write_text(WITHOUT_PROBABILITIES.replace("FEATURE", feature))
    (outcomes,) = judged(str(tmp_path / "mine.py"), [case])
    assert {each.verdict for each in outcomes if each.check == "value"} == {verdict}
    if feature:
        assert [(each.reason, each.detail) for each in outcomes] == [("required", "probability-targets")]

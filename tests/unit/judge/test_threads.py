"""Calls from two threads: what they share shows in any transform, and is asked where it may be."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from conformance.model.errors import CaseError
from tests.support.transforms import outcomes, verdicts
from tests.yardstick.kernel import Kernel


class SharedWorkspace(Kernel):
    found: Any = None

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        SharedWorkspace.found = super().differentiate(call, logits, upstream)
        time.sleep(1e-3)
        return SharedWorkspace.found


class OneThread(SharedWorkspace):
    thread_safe = False


class RaisesInThreads(Kernel):
    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("no context in this thread")
        return super().differentiate(call, logits, upstream)


@pytest.mark.parametrize(
    ("backend", "verdict"),
    [(Kernel(), "pass"), (SharedWorkspace(), "fail"), (OneThread(), "unsupported"), (RaisesInThreads(), "fail")],
)
def test_two_threads_do_not_share_what_a_call_needs(tmp_path: Path, backend: Kernel, verdict: str) -> None:
    found = outcomes(tmp_path, backend, "transforms: [concurrent]")
    assert sorted(o.reduction for o in found) == ["mean", "none", "sum"]
    assert verdicts(found, "concurrent") == {verdict}


class SharedDerivative(Kernel):
    found: Any = None

    def jvp(self, call: Any, logits: Any, tangent: Any) -> Any:
        SharedDerivative.found = super().jvp(call, logits, tangent)
        time.sleep(1e-3)
        return SharedDerivative.found


class DerivativeOfOneThread(SharedDerivative):
    of_one_thread = frozenset({"forward-mode"})


def test_a_transform_of_one_thread_is_not_asked_of_two(tmp_path: Path) -> None:
    found = outcomes(tmp_path, DerivativeOfOneThread(), "transforms: [forward-mode, concurrent]")
    assert (verdicts(found, "forward-mode"), verdicts(found, "concurrent")) == ({"pass"}, {"unsupported"})


def test_two_threads_make_the_transform_that_the_case_names(tmp_path: Path) -> None:
    asked = "transforms: [forward-mode, concurrent]"
    right, wrong = (outcomes(tmp_path, backend, asked) for backend in (Kernel(), SharedDerivative()))
    assert verdicts(right, "concurrent") == verdicts(right, "forward-mode") == {"pass"}
    assert verdicts(wrong, "forward-mode") == {"pass"}
    assert verdicts(wrong, "concurrent") == {"fail"}
    assert {o.quantity for o in wrong if o.check == "concurrent"} == {"jvp"}


class SharedForwardPass(Kernel):
    saved: Any = None

    def second_vjp(self, call: Any, logits: Any, former: Any, upstream: Any) -> Any:
        SharedForwardPass.saved = logits
        time.sleep(1e-3)
        return super().second_vjp(call, SharedForwardPass.saved, former, upstream)


def test_a_forward_pass_that_threads_share_is_seen_in_the_second_backward_pass(tmp_path: Path) -> None:
    found = outcomes(tmp_path, SharedForwardPass(), "transforms: [second-backward, concurrent]")
    assert (verdicts(found, "second-backward"), verdicts(found, "concurrent")) == ({"pass"}, {"fail"})


@pytest.mark.parametrize("name", ["second-order", "vectorised-map", "second-backward"])
def test_every_transform_is_right_in_two_threads(tmp_path: Path, name: str) -> None:
    assert verdicts(outcomes(tmp_path, Kernel(), f"transforms: [{name}, concurrent]"), "concurrent") == {"pass"}


def test_two_threads_are_asked_for_one_transform(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="two threads with several transforms"):
        outcomes(tmp_path, Kernel(), "transforms: [forward-mode, second-order, concurrent]")

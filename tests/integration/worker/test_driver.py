"""Requests performed in this process: every fault that leaves the process alive."""

from __future__ import annotations

import resource
import sys
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance.worker import wire
from conformance.worker.driver import Driver
from conformance.worker.exchange import Failure, Observation, Request
from conformance.worker.memory import Region
from conformance.worker.reply import Died
from conformance.worker.session import InlineSession
from tests.support import fake_backends


def request(key: int = 1, first: float = fake_backends.TRIGGER, **changes: Any) -> Request:
    logits = np.array([[first, 2.0, 3.0], [0.5, 1.0, 1.5]])
    fields: dict[str, Any] = {"operation": "softmax", "logits": logits, "operands": {}, "options": (("axis", 1),)}
    return Request(key=key, **(fields | changes))


def observe(name: str, sent: Request | None = None) -> Observation:
    (seen,) = InlineSession(fake_backends.create(name, 1)).run([request() if sent is None else sent])
    return seen


def test_value_gradient_and_repeat() -> None:
    seen = observe("Sound", request(upstream=np.ones((2, 3)), repeat=True))
    assert seen.failure is None and seen.gradient_failure is None
    assert (
        seen.value is not None
        and seen.value_with_gradient is not None
        and seen.value.tobytes() == seen.value_with_gradient.tobytes()
    )
    assert seen.gradient is not None and np.abs(seen.gradient).max() < 1e-12
    assert (seen.repeatable, seen.modified, seen.warnings) == (True, (), ())
    assert 0 < seen.seconds < 1


def test_nothing_is_asked_for_that_was_not_requested() -> None:
    seen = observe("GradientFails")
    assert seen.repeatable is None and seen.gradient is None and seen.gradient_failure is None


@pytest.mark.parametrize("layout", ["transposed", "sliced", "reversed", "misaligned"])
def test_layouts_reach_the_backend(layout: str) -> None:
    plain, arranged = observe("Sound"), observe("Sound", request(layout=layout))
    assert plain.value is not None and arranged.value is not None
    assert np.allclose(plain.value, arranged.value) and arranged.modified == ()


def test_broadcast_leaves_operands_that_differ_as_they_are() -> None:
    logits = np.ones((2, 3))
    sent = request(
        operation="cross_entropy", logits=logits, operands={"targets": np.array([0, 1])}, options=(), layout="broadcast"
    )
    assert observe("Sound", sent).failure is None
    unequal = observe("Sound", request(layout="broadcast")).failure
    assert unequal is not None and unequal.kind == "adapter" and "equal at all positions" in unequal.message


@pytest.mark.parametrize(
    ("name", "kind", "type_", "message"),
    [
        ("Raises", "raised", "ValueError", "xxx"),
        ("RaisesUnprintable", "raised", "Mute", "could not be read"),
        ("RaisesInFramework", "raised", "", ""),
        ("LeavesBySystemExit", "raised", "SystemExit", "7"),
        ("Lacks", "unsupported", "Unsupported", "no such feature"),
        ("Slips", "adapter", "AttributeError", "no_such_method"),
        ("ReturnsNone", "adapter", "NoneType", "the value cannot be read"),
        ("ReturnsText", "adapter", "str", "dtype <U3"),
        ("ReturnsRagged", "adapter", "list", "ValueError"),
        ("ReturnsLazilyFailing", "adapter", "_Lazy", "computed too late"),
    ],
)
def test_faults(name: str, kind: str, type_: str, message: str) -> None:
    failure = observe(name, request(upstream=np.ones((2, 3)), repeat=True)).failure
    assert failure is not None and failure.kind == kind and len(failure.message) <= 500
    assert type_ in failure.type and message in failure.message
    if kind == "raised":
        assert failure.where.startswith("tests/support/fake_backends/")


def test_a_call_that_does_not_fit_is_the_adapters_fault() -> None:
    unfit = observe("Sound", request(options=(("axes", 1),))).failure
    unknown = observe("Sound", request(operation="hardmax")).failure
    assert unfit is not None and (unfit.kind, unfit.type) == ("adapter", "TypeError")
    assert unknown is not None and (unknown.kind, unknown.type) == ("adapter", "AttributeError")


def test_a_refusal_by_the_framework_under_the_adapter_is_raised() -> None:
    failure = observe("Sound", request(options=(("axis", 5),))).failure
    assert failure is not None and (failure.kind, failure.type) == ("raised", "AxisError") and failure.where


def test_interrupts_pass_in_the_engines_own_process() -> None:
    with pytest.raises(KeyboardInterrupt):
        observe("Interrupts")


def test_failing_gradients_leave_the_value() -> None:
    seen = observe("GradientFails", request(upstream=np.ones((2, 3)), repeat=True))
    assert seen.value is not None and seen.failure is None and seen.repeatable is True
    assert seen.gradient_failure is not None and seen.gradient_failure.kind == "raised"
    pair = observe("GradientIsNoPair", request(upstream=np.ones((2, 3)))).gradient_failure
    assert pair is not None and pair.kind == "adapter" and "differentiate" in pair.message


def test_modified_inputs_are_named_and_do_not_spoil_the_next_request() -> None:
    sent = request()
    session = InlineSession(fake_backends.create("Modifies", 1))
    first, second = session.run([sent, sent])
    assert first.modified == second.modified == ("logits",)
    assert first.value is not None and second.value is not None and first.value.tobytes() == second.value.tobytes()
    targets = {"targets": np.array([1, 2])}
    seen = observe("ModifiesTargets", request(operation="cross_entropy", operands=targets, options=()))
    assert seen.modified == ("targets",) and targets["targets"].tolist() == [1, 2]
    assert observe("WritesBeside", request(layout="sliced")).modified == ("logits",)


def test_repeatability() -> None:
    assert observe("Unsteady", request(repeat=True)).repeatable is False
    reused = observe("ReusesItsOutput", request(repeat=True))
    assert reused.value == 1 and reused.repeatable is False


def test_warnings_are_recorded_once_and_go_nowhere() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert observe("Warns", request(repeat=True)).warnings == ("UserWarning: implicit dimension",)


def test_python_operands_are_handed_over_as_they_are() -> None:
    seen = observe("Sound", request(operation="cross_entropy", operands={"targets": [1, 2]}, options=()))
    assert seen.failure is not None and seen.failure.type == "TypeError"


@pytest.mark.parametrize("name", ["ReturnsASubclass", "ReturnsAListOfNumbers"])
def test_a_result_is_exactly_of_the_frameworks_own_type(name: str) -> None:
    failure = observe(name).failure
    assert failure is not None and failure.kind == "adapter" and "own type" in failure.message
    assert observe("ReturnsAScalar").failure is None


def test_description() -> None:
    description = InlineSession(fake_backends.create("Derived", 1)).describe()
    assert (description.name, description.framework, description.versions) == ("Derived", "numpy", {"fake": "1.0"})
    assert (description.device, description.execution) == ("cpu", "eager")
    source = description.sources["softmax"]
    assert source.file == "tests/support/fake_backends/sound.py" and source.line > 1
    assert source.text.startswith("def softmax(self") and "super()" in source.text


def test_observations_keep_the_order_of_their_requests() -> None:
    seen = InlineSession(fake_backends.create("Sound", 1)).run([request(key, repeat=key == 3) for key in (5, 3, 4)])
    assert [each.key for each in seen] == [5, 3, 4]
    assert [each.repeatable for each in seen] == [None, True, None]


class Ends(InlineSession):
    """A session whose backend has ended before the batches of some numbers, or behind its last answer."""

    before: frozenset[int] = frozenset()
    behind = False  # and then by the backward pass of log_softmax, too
    sent = 0

    def run(self, requests: Iterable[Request]) -> list[Observation]:
        return Driver.run(self, requests)  # which may be revised

    def _perform(self, order: wire.BatchOrder, region: Region) -> Iterator[wire.Answer]:
        self.sent += 1
        if self.sent in self.before:
            raise Died(Failure("crash", "SIGSEGV", "between two batches"), before=True)
        if self.behind and any(each.upstream and each.operation == "log_softmax" for each in order.calls):
            raise Died(Failure("crash", "SIGSEGV", "in the backward pass"))
        return super()._perform(order, region)

    def _settled(self, *, alone: bool) -> Failure | None:
        return Failure("crash", "SIGSEGV", "behind the last answer") if self.behind and not alone else None


@pytest.mark.parametrize(("before", "noted"), [({2}, 1), ({4}, 2), ({2, 3}, 1), ({2, 3, 4}, 1), ({1}, 0)])
def test_an_end_behind_the_answers_to_a_batch_is_noted_of_that(
    monkeypatch: pytest.MonkeyPatch, before: set[int], noted: int
) -> None:
    monkeypatch.setattr("conformance.worker.driver.BATCH", 2)
    asked = [request(key=key, repeat=True) for key in range(4)]  # two batches, and two more that repeat them backwards
    session = Ends(fake_backends.create("Sound", 1))
    session.before = frozenset(before)
    seen = session.run(asked)
    assert [each.key for each in seen if each.died is not None] == [noted]
    assert all(each.failure is None and each.repeatable for each in seen)


@pytest.mark.parametrize(("upstream", "died"), [(np.ones((2, 3)), [False, False]), (None, [True, False])])
def test_an_end_behind_a_run_is_searched_for_among_all_its_calls(upstream: Any, died: list[bool]) -> None:
    session = Ends(fake_backends.create("Sound", 1))
    backward = request(key=0, operation="log_softmax", upstream=upstream, repeat=True)
    first = session.run([backward, request(key=1, repeat=True)])
    assert session.revised() is None and all(each.died is None and each.failure is None for each in first)
    session.behind = True
    seen = session.revised()
    assert seen is not None and [each.died is not None for each in seen] == died
    assert [each.failure is not None for each in seen] == [upstream is not None, False]
    session.behind = False
    again = session.revised()  # that it has ended stays on record
    assert again is not None and [each.died is not None for each in again] == died


@pytest.mark.parametrize(("most", "found"), [(3, False), (4, True)])
def test_the_search_for_what_has_ended_the_process_is_limited(
    monkeypatch: pytest.MonkeyPatch, most: int, found: bool
) -> None:
    """Of five calls the second has done it: it is come upon at the fourth trial, since the last are tried first."""
    monkeypatch.setattr("conformance.worker.driver.SUSPECTS", most)
    session = Ends(fake_backends.create("Sound", 1))
    backward = request(key=1, operation="log_softmax", upstream=np.ones((2, 3)))
    session.run([backward if key == 1 else request(key) for key in range(5)])
    session.behind, before = True, session.sent
    seen = session.revised()
    assert seen is not None and session.sent == before + most
    assert [each.key for each in seen if each.failure is not None] == [1] * found
    assert [each.key for each in seen if each.died is not None] == [4] * (not found)


def test_an_end_behind_a_batch_that_was_sent_once_more_is_on_record() -> None:
    """To see which of its calls overwrites the result of another one, as here the second."""
    session = Ends(fake_backends.create("ReusesItsOutput", 1))
    assert [bool(each.modified) for each in session.run([request(1), request(2)])] == [False, True]
    session.behind = True
    seen = session.revised()
    assert session.sent > 1 and seen is not None and [each.died is not None for each in seen] == [False, True]


def test_an_end_before_a_batch_is_sent_once_more_is_noted_of_that(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not of the batch before it: this one was answered last."""
    monkeypatch.setattr("conformance.worker.driver.BATCH", 2)
    session = Ends(fake_backends.create("SpoilsFormerValues", 1))
    session.before = frozenset({3})
    seen = session.run([request(key, first) for key, first in enumerate((1.0, 2.0, 3.0, fake_backends.TRIGGER))])
    assert [each.died is not None for each in seen] == [False, False, False, True]
    assert [bool(each.modified) for each in seen] == [False, False, False, True]


def test_a_result_that_lies_in_its_input_is_shared_and_not_overwritten() -> None:
    session = InlineSession(fake_backends.create("ReturnsItsInput", 1))
    for _ in range(5):
        for each in session.run([request(key, float(key)) for key in range(3)]):
            assert each.modified == ("logits",) and each.shared == (("value", "logits"),)
    assert observe("Sound", request(upstream=np.ones((2, 3)))).shared == ()


def test_an_overwritten_result_is_seen_by_the_driver() -> None:
    seen = InlineSession(fake_backends.create("ReusesItsOutput", 1)).run([request(1), request(2)])
    assert [each.modified for each in seen] == [(), ("the result of an earlier call",)]


def test_an_overwritten_gradient_is_seen_behind_a_call_in_another_dtype() -> None:
    other = request(2, logits=np.ones((2, 3), np.float32), upstream=np.ones((2, 3), np.float32))
    upstream = np.array([[1.0, 0, 0], [0, 2, 0]])
    asked = [request(1, 1.0, upstream=upstream), other, request(3, 5.0, upstream=upstream)]
    seen = InlineSession(fake_backends.create("ReusesItsGradient", 1)).run(asked)
    assert [each.modified for each in seen] == [(), (), ("the result of an earlier call",)]
    seen = InlineSession(fake_backends.create("Sound", 1)).run(asked)
    assert [each.modified for each in seen] == [(), (), ()]


def test_an_overwritten_gradient_is_seen_where_it_is_large() -> None:
    upstream = np.linspace(-1, 1, 6000).reshape(100, 60)
    asked = [request(key, logits=np.full((100, 60), 1.0), upstream=key * upstream) for key in (1, 2)]
    seen = InlineSession(fake_backends.create("ReusesItsGradient", 1)).run(asked)
    assert [each.modified for each in seen] == [(), ("the result of an earlier call",)]


@pytest.mark.parametrize("rows", [1 << 18, 1 << 20])
def test_an_overwritten_gradient_is_seen_where_some_of_its_elements_are_read_again(rows: int) -> None:
    """Calls of 2 MiB share a batch of 4 MiB, one of 16 MiB is a batch of its own."""
    upstream = np.linspace(-1, 1, rows).reshape(-1, 2).astype(np.float32)
    logits = np.ones((rows // 2, 2), np.float32)
    asked = [request(key, logits=logits, upstream=key * upstream) for key in (1, 2)]
    seen = InlineSession(fake_backends.create("ReusesItsGradient", 1)).run(asked)
    assert [each.modified for each in seen] == [(), ("the result of an earlier call",)]
    seen = InlineSession(fake_backends.create("Sound", 1)).run(asked * 3)
    assert {each.modified for each in seen} == {()}


def test_a_buffer_that_eight_calls_use_in_turn_is_seen() -> None:
    upstream = np.array([[1.0, 0, 0], [0, 2, 0]])
    asked = [request(key, float(key), upstream=upstream) for key in range(20)]
    seen = InlineSession(fake_backends.create("EightGradientsInTurn", 1)).run(asked)
    assert [bool(each.modified) for each in seen] == [False] * 8 + [True] * 12
    seen = InlineSession(fake_backends.create("EightGradientsInTurn", 1)).run(asked[:8])
    assert {each.modified for each in seen} == {()}


@pytest.mark.parametrize(("times", "seen_at"), [(1000, 5), (1, 8)])
def test_who_spoils_former_results_is_found_where_it_does_so_again(times: int, seen_at: int) -> None:
    """Otherwise it is put down to the call behind which it was seen: results are read again eight calls later."""
    backend = fake_backends.create("SpoilsFormerValues", 1)
    backend.times = times
    firsts = [fake_backends.TRIGGER if key == 5 else float(key) for key in range(12)]
    seen = InlineSession(backend).run([request(key, first) for key, first in enumerate(firsts)])
    assert [place for place, each in enumerate(seen) if each.modified] == [seen_at]
    assert seen[seen_at].modified == ("the result of an earlier call",)


@pytest.mark.parametrize("repeat", [False, True])
@pytest.mark.parametrize(("count", "at"), [(3, 0), (4, 1), (7, 6)])
def test_who_spoils_former_results_is_found_in_a_batch_of_few_calls(count: int, at: int, repeat: bool) -> None:
    """Fewer than are kept: the results of the first sending are there still when the batch is sent once more."""
    session = InlineSession(fake_backends.create("SpoilsFormerValues", 1))
    session.run([request(key, float(key), repeat=repeat) for key in range(8)])
    firsts = [fake_backends.TRIGGER if key == at else float(key) for key in range(count)]
    seen = session.run([request(key, first, repeat=repeat) for key, first in enumerate(firsts)])
    assert [place for place, each in enumerate(seen) if each.modified] == [at]


def test_a_copy_that_is_modified_is_seen_by_the_driver() -> None:
    seen = observe("ModifiesItsCopy", request(operation="cross_entropy", operands={"targets": [1, 2]}, options=()))
    assert seen.modified == ("logits", "targets")


def test_many_open_sessions_do_not_keep_the_memory_of_large_calls() -> None:
    if sys.platform != "linux":
        pytest.skip("the memory of a process is read as Linux shows it")
    sessions = [InlineSession(fake_backends.create("Sound", 1)) for _ in range(24)]
    sent = request(logits=np.zeros((1, 1 << 20)))  # 8 MiB of operands, and as many of results, in two regions
    before = _resident()
    for session in sessions:
        session.run([sent, sent])
    assert _resident() - before < 128 << 20


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

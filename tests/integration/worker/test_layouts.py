"""The framework's own tensors lie in memory as a layout says: by its account of strides, offset and address."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from conformance.backends.adapters.numpy import Numpy
from conformance.backends.contract import Memory
from conformance.model.layouts import BETWEEN, LAYOUTS
from conformance.worker.driver import EARLIER
from conformance.worker.exchange import Observation, Request
from conformance.worker.layouts import geometry
from conformance.worker.limits import Limits
from conformance.worker.session import InlineSession, Session

WINDOWS = np.lib.stride_tricks.sliding_window_view(np.arange(6, dtype=np.float32), 4)
LOGITS = np.ascontiguousarray(np.stack([WINDOWS, WINDOWS]))  # (2, 3, 4), equal along axis 0
EXACT = [each for each in LAYOUTS if each not in BETWEEN]
#: What torch.from_numpy does not take.
NOT_IN_TORCH = ("reversed", "reversed-rows", "byte-swapped")


def request(layout: str) -> Request:
    return Request(0, "softmax", LOGITS, {}, (("axis", -1),), layout)


def observed(backend: Any, asked: Request) -> Observation:
    with closing(InlineSession(backend)) as session:
        (found,) = session.run([asked])
    return found


class SeesNumpy(Numpy):
    """Notes how its inputs lie."""

    seen: Any = None

    def softmax(self, logits: Any, **options: Any) -> Any:
        self.seen = Memory.of(logits), logits.dtype.isnative, logits.flags.writeable
        return super().softmax(logits, **options)


@pytest.mark.parametrize("layout", EXACT)
def test_numpy_has_every_layout(layout: str) -> None:
    backend, wanted = SeesNumpy(), geometry(layout, LOGITS)
    assert observed(backend, request(layout)).value is not None
    memory, native, writable = backend.seen
    assert memory.strides == tuple(4 * step for step in wanted.strides) and memory.offset == 4 * wanted.offset
    assert native == (layout != "byte-swapped") and writable == (layout != "read-only")


@pytest.mark.framework
@pytest.mark.parametrize("layout", EXACT)
def test_pytorch_keeps_every_layout_that_it_has(layout: str) -> None:
    pytest.importorskip("torch")
    from conformance.backends.adapters.torch import Torch

    class SeesTorch(Torch):
        """Notes how its inputs lie."""

        seen: Any = None

        def softmax(self, logits: Any, **options: Any) -> Any:
            self.seen = logits.stride(), logits.storage_offset()
            return super().softmax(logits, **options)

    backend, wanted = SeesTorch(), geometry(layout, LOGITS)
    found = observed(backend, request(layout))
    if layout in NOT_IN_TORCH:
        assert found.failure is not None and found.failure.kind == "unsupported"
    else:
        assert found.failure is None and backend.seen == (wanted.strides, wanted.offset)


class Copies(Numpy):
    """Makes a contiguous copy of every input, as some frameworks do."""

    def view(self, array: Any) -> Any:
        return np.ascontiguousarray(array).copy()


@pytest.mark.parametrize("layout", ["padded", "cut", "offset", "time-major", "logits=sliced"])
def test_a_copy_does_not_pass_for_the_layout(layout: str) -> None:
    failure = observed(Copies(), request(layout)).failure
    assert failure is not None and (failure.kind, failure.type) == ("unsupported", "Unsupported")
    assert failure.message == "the framework makes a copy that lies otherwise in memory"


class Writes(Numpy):
    """Writes to the third row of its input, and returns it."""

    def softmax(self, logits: Any, *, axis: int, where: Any = None) -> Any:
        logits[..., -1, 0] += 1
        return logits


def test_who_writes_to_positions_far_apart_is_found_out() -> None:
    asked = msgspec.structs.replace(request("far-apart"), logits=LOGITS[0])
    found = observed(Writes(), asked)
    assert found.modified == ("logits",) and ("value", "logits") in found.shared
    assert observed(Numpy(), asked).modified == ()


def test_positions_far_apart_hold_little_memory() -> None:
    """Fewer pages than the huge ones of each operand, of 24 GiB and more."""
    asked = [msgspec.structs.replace(request("far-apart"), logits=LOGITS[0], key=key) for key in range(20)]
    with Session("numpy", limits=Limits(memory=1 << 30)) as session:
        found = session.run(asked)
    assert {each.failure for each in found} == {None} and {each.modified for each in found} == {()}


@pytest.mark.framework
@pytest.mark.parametrize("spec", ["jax", "tensorflow"])
def test_a_framework_that_copies_is_not_given_positions_far_apart(spec: str) -> None:
    pytest.importorskip(spec)
    asked = msgspec.structs.replace(request("far-apart"), logits=LOGITS[0])
    with Session(spec, limits=Limits(memory=3 << 30)) as session:
        (found,) = session.run([asked])
    assert found.failure is not None and found.failure.kind == "unsupported"


def test_what_shares_the_memory_of_the_logits_lies_at_its_address() -> None:
    logits = np.array([[0.5, 1, 2], [1, 0, 4]], np.float32)
    options = (("axis", -1), ("ignore_index", None), ("label_smoothing", None), ("reduction", "sum"))
    operands = {"targets": np.array([1, 2]), "weight": logits[1]}
    asked = Request(0, "cross_entropy", logits, operands, options, "weight=within-logits")
    assert observed(Numpy(), asked).failure is None
    failure = observed(Copies(), asked).failure
    assert failure is not None and failure.kind == "unsupported"


class OneBuffer(Numpy):
    """Value and gradient are one array, in Fortran order."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        both = np.zeros(logits.shape, logits.dtype, order="F")
        return both, both


def test_results_that_lie_in_each_other_are_named() -> None:
    asked = Request(0, "softmax", LOGITS, {}, (("axis", -1),), upstream=LOGITS)
    assert observed(OneBuffer(), asked).shared == (("gradient", "value with gradient"),)
    assert observed(OneBuffer(), asked).modified == ()


class Extended(Numpy):
    """Values of more bits than were asked for, in either order of bytes."""

    order = "="

    def softmax(self, logits: Any, *, axis: int, where: Any = None) -> Any:
        return super().softmax(logits, axis=axis).astype(np.dtype(np.longdouble).newbyteorder(self.order))


class ExtendedOneBuffer(Extended):
    """The same array each time."""

    buffer = np.zeros(LOGITS.shape, np.longdouble)

    def softmax(self, logits: Any, *, axis: int, where: Any = None) -> Any:
        self.buffer[...] = super().softmax(logits, axis=axis)
        return self.buffer


@pytest.mark.parametrize("order", "=S")
def test_bytes_between_extended_numbers_are_in_no_comparison(order: str) -> None:
    backend = Extended()
    backend.order = order
    asked = [msgspec.structs.replace(request("contiguous"), key=key, repeat=True) for key in range(6)]
    with closing(InlineSession(backend)) as session:
        seen = session.run(asked)
    assert {(each.failure, each.modified, each.repeatable) for each in seen} == {(None, (), True)}
    expected = Numpy().softmax(LOGITS, axis=-1)
    assert all(each.value is not None and (each.value == expected).all() for each in seen)
    with closing(InlineSession(ExtendedOneBuffer())) as session:
        kept = session.run([msgspec.structs.replace(each, logits=LOGITS * each.key) for each in asked])
    assert {each.modified for each in kept[1:]} == {(EARLIER,)}


WRITES = """\
from conformance.backends.adapters.torch import Torch


class Writes(Torch):
    def softmax(self, logits, *, axis):
        kept = logits.clone()
        logits.zero_()
        logits.copy_(kept)
        return super().softmax(kept, axis=axis)
"""


@pytest.mark.framework
def test_who_writes_to_memory_that_is_read_only_does_not_go_on(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    (tmp_path / "writes.py").write_text(WRITES)
    with Session(f"{tmp_path / 'writes.py'}:Writes") as session:
        plain, protected = session.run([request("contiguous"), request("read-only")])
    assert plain.failure is None and plain.modified == ()
    assert protected.failure is not None and (protected.failure.kind, protected.failure.type) == ("crash", "SIGSEGV")

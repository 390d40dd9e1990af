"""Frames: what they hold is typed, cut and clean; what is not of their form is refused."""

from __future__ import annotations

import os
import threading

import msgspec
import pytest

from conformance.worker import wire


class Hostile(str):
    __slots__ = ()

    def __str__(self) -> str:
        raise RuntimeError

    def __getitem__(self, key: object) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("said", "clean"),
    [("plain", "plain"), ("a" * 600, "a" * 500), ("\udc80", "\\udc80"), (Hostile("kept"), "kept"), (3, "3")],
)
def test_texts_are_cut_and_can_be_encoded(said: object, clean: str) -> None:
    found = wire.clean(said)
    assert found == clean and type(found) is str and found.encode()


def test_a_call_keeps_what_it_is_asked() -> None:
    operand = wire.Operand(64, (2, 3), (-24, 8), "float64")
    options = (("axis", 1), ("ignore_index", None), ("label_smoothing", 0.0), ("reduction", "mean"))
    call = wire.CallOrder(1 << 62, "cross_entropy", operand, {"targets": wire.Plain(wire.pack([1, [2.5]]))}, options)
    batch = wire.decode_order(wire.encode(wire.BatchOrder(7, 2, 4096, [call], 1.5)))
    assert isinstance(batch, wire.BatchOrder) and batch.calls == [call]
    assert type(dict(batch.calls[0].options)["label_smoothing"]) is float
    plain = batch.calls[0].operands["targets"]
    assert isinstance(plain, wire.Plain) and wire.unpack(plain.packed) == [1, [2.5]]


@pytest.mark.parametrize(
    "forged",
    [
        b"",
        b"\xc1",
        wire.encode({"nonce": 1}),
        wire.encode([1, {"value": ["float64", [1], "text"]}]),
        wire.encode([1, {"value": ["float64", ["1"], b""]}]),
        wire.encode([1, {}, ["forgiven", "a", "b"]]),
        wire.encode([1, {}, None, None, [b"bytes"]]),
        wire.encode([1, {}]) + b"more",
    ],
)
def test_an_answer_of_another_form_is_refused(forged: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        wire.decode_answer(forged)


def test_everything_is_written_however_little_a_pipe_takes() -> None:
    source, sink = os.pipe()
    data = os.urandom(1 << 20)
    writer = threading.Thread(target=wire.write_all, args=(sink, data))
    writer.start()
    read = b""
    while len(read) < len(data):
        read += os.read(source, 1 << 16)
    writer.join()
    os.close(source)
    os.close(sink)
    assert read == data

"""Strangers' text in Markdown."""

from __future__ import annotations

from conformance.reports.escape import wrapped


def test_no_wrapped_line_is_longer_than_a_hundred_or_begins_a_list() -> None:
    text = " ".join(["compares labels with 0 to C - 1: 1. is a class, and + 2) = none # at all"] * 12)
    lines = wrapped(text).split("\n")
    assert " ".join(lines) == text
    assert max(map(len, lines)) <= 100
    assert not [line for line in lines if line[0] in "-+=#" or line.startswith(("1.", "2)"))]


def test_a_list_of_negative_numbers_is_wrapped() -> None:
    lines = wrapped("observed: " + ", ".join(["-0.0729166641831398"] * 12)).split("\n")
    assert max(map(len, lines)) <= 100 and lines[1].startswith("-0.07")


def test_a_code_span_is_not_broken() -> None:
    command = "`conformance explain two-equal-logits-at-1e8 -b optax:jit --dtype float32`"
    assert command in wrapped("x " * 40 + command)

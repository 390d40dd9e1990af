"""The specialiser on adapters of a third party: what it drops, inlines and keeps, and when it gives up."""

from __future__ import annotations

import ast
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.numerics.formats import DTYPES, numpy_dtype
from conformance.repro.calls import Adapter
from conformance.repro.literals import number_text
from conformance.repro.program import Program
from conformance.repro.tidy import text_of, tidied
from conformance.repro.values import Code, Facts, NotSpecialised

HEAD = """
import lib
from conformance.backends.contract import Backend, Unsupported, given

class Mine(Backend):
    framework = "lib"
    def __init__(self, *, device="", mode="", threads=1):
        self._cache = {}
    def softmax(self, logits, *, axis):
"""


@dataclass(frozen=True)
class Text:
    file: str
    line: int
    text: str


def specialised(body: str, helpers: str = "", *, mode: str = "fast", **options: object) -> str:
    text = HEAD + "".join(f"        {line}\n" for line in body.strip().splitlines()) + helpers
    line = next(i for i, each in enumerate(text.splitlines(), 1) if each.startswith("class Mine"))
    adapter = Adapter(Program.of({"class Mine": Text("mine.py", line, text)}))
    adapter.used.add("logits")
    logits = Code(ast.Name("logits"), Facts((2, 3), "float32"))
    call = adapter.request("softmax", {}, {"axis": 1, **options})
    result = adapter.invoke(adapter.backend(device="cpu", mode=mode), "evaluate", [call, logits])
    helpers_text = [text_of(each) for each in adapter.helpers.values()]
    done = tidied([*adapter.block, ast.Return(adapter.reify(result))])
    return "\n".join([*helpers_text, *map(text_of, done)])


def test_known_branches_are_dropped_and_stated_arguments_inlined() -> None:
    body = 'if self.mode == "slow":\n    return lib.slow(logits)\n'
    body += "return lib.softmax(logits, **given(dim=axis, other=None))"
    assert specialised(body) == "return lib.softmax(logits, dim=1)"
    assert specialised(body, mode="slow") == "return lib.slow(logits)"


def test_questions_of_shape_and_dtype_are_answered() -> None:
    body = "if logits.dim() == 2 and logits.dtype != lib.bfloat16 and lib.ndim(logits) == len(logits.shape):\n"
    body += (
        "    logits = logits.movedim(axis, min(1, logits.dim() - 1))\nreturn lib.softmax(logits, logits.shape[axis])"
    )
    assert specialised(body) == "return lib.softmax(logits, 3)"


def test_a_question_that_the_inputs_do_not_answer_stays() -> None:
    body = "scale = 1\nif lib.is_odd(logits):\n    scale = lib.scale(logits)\nreturn lib.softmax(logits, scale)"
    expected = "scale = 1\nif lib.is_odd(logits):\n    scale = lib.scale(logits)\nreturn lib.softmax(logits, scale)"
    assert specialised(body) == expected


def test_small_helpers_are_inlined_and_their_names_kept_apart() -> None:
    helpers = "\ndef _shifted(x):\n    logits = lib.max(x)\n    return x - logits - logits\n"
    text = specialised("return lib.softmax(_shifted(logits), logits)", helpers)
    assert text == "logits_2 = lib.max(logits)\nreturn lib.softmax(logits - logits_2 - logits_2, logits)"


def test_a_helper_that_cannot_be_inlined_is_kept_with_what_it_needs() -> None:
    helpers = "\nLIMIT = 3\n\ndef _low(x: int) -> int:\n    return x - LIMIT\n"
    helpers += "\ndef _odd(x: 'Tensor') -> 'Tensor':\n    if lib.odd(x):\n        return x\n    return _low(x)\n"
    text = specialised("return lib.softmax(_odd(logits))", helpers)
    assert text.splitlines()[0] == "LIMIT = 3"
    assert "def _low(x):\n    return x - LIMIT" in text
    assert text.endswith("return lib.softmax(_odd(logits))")


def test_a_wrapped_closure_becomes_a_function_of_its_tensors() -> None:
    body = "key = (axis,)\nif key not in self._cache:\n    self._cache[key] = lib.jit(lambda x: lib.softmax(x, axis))\n"
    body += "return self._cache[key](logits)"
    assert specialised(body) == "@lib.jit\ndef function(x):\n    return lib.softmax(x, 1)\nreturn function(logits)"


def test_a_wrapper_with_options_is_called_with_them() -> None:
    text = specialised("return lib.compile(lambda x: lib.softmax(x), dynamic=False)(logits)")
    assert text.splitlines()[2] == "return lib.compile(function, dynamic=False)(logits)"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('raise Unsupported("no softmax")', "the adapter raises"),
        ("for each in logits:\n    lib.add(each)\nreturn logits", "a loop over what is not known"),
        ("while lib.more():\n    pass\nreturn logits", "a While statement"),
        ("return self.softmax(logits, axis=axis)", "calls itself"),
        ("return lib.softmax(unheard_of)", "unheard_of is not known"),
        ("return self", "handed on"),
        ("return 1 // 0", "ZeroDivisionError"),
    ],
)
def test_what_cannot_be_specialised_is_said(body: str, reason: str) -> None:
    with pytest.raises(NotSpecialised, match=reason):
        specialised(body)


@given(st.data(), st.sampled_from(DTYPES))
def test_a_literal_reads_back_to_the_same_bits(data: st.DataObject, dtype: str) -> None:
    kind = numpy_dtype(dtype)
    raw = data.draw(st.binary(min_size=kind.itemsize, max_size=kind.itemsize))
    value = np.frombuffer(raw, kind)[0]
    with np.errstate(all="ignore"):
        back = np.asarray(eval(number_text(value, dtype))).astype(kind)[()]
        assert (np.isnan(back) and np.isnan(value)) or back.tobytes() == value.tobytes()

"""A template is all that a new framework needs; what it leaves out is said."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.places import ROOT, SNIPPETS
from conformance.repro import snippets
from conformance.repro.snippets import Name, NotInTemplate, Snippets


@pytest.fixture
def sharp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Snippets]:
    """The template of the guide."""
    found = re.search(r"```jinja\n(.*?)```", (ROOT / "docs" / "backends.md").read_text(encoding="utf-8"), re.DOTALL)
    assert found
    shutil.copy(SNIPPETS / "base.py.j2", tmp_path)
    (tmp_path / "sharp.py.j2").write_text(found[1])
    monkeypatch.setattr(snippets, "SNIPPETS", tmp_path)
    snippets._environment.cache_clear()
    yield Snippets("sharp", execution="eager", composition="", device="cpu")
    snippets._environment.cache_clear()


def test_the_template_of_the_guide_writes_each_of_its_pieces(sharp: Snippets) -> None:
    assert sharp.lines("imports") == ["import sharp"]
    assert sharp.text("tensor", values="[1.0]", dtype="float32") == "sharp.array([1.0], sharp.float32)"
    assert sharp.text("softmax", axis=None) == "sharp.softmax(logits)"
    call = "\n".join(sharp.lines("cross_entropy", axis=1, weight=Name("weight"), reduction="mean"))
    assert sharp.lines("value", call=call) == [
        "losses = sharp.cross_entropy(logits, targets, weight=weight, axis=1)",
        "value = losses.mean()",
    ]
    assert sharp.lines("gradient", call="losses = sharp.softmax(logits)\nlosses") == [
        "def loss(logits):",
        "    return sharp.softmax(logits)",
        "",
        "value, gradient = sharp.value_and_gradient(loss, logits, upstream)",
    ]


@pytest.mark.parametrize("piece", ["log_softmax", "forward_mode"])
def test_what_a_template_leaves_out_is_said(sharp: Snippets, piece: str) -> None:
    with pytest.raises(NotInTemplate):
        sharp.lines(piece)


def test_a_compiled_function_takes_the_inputs_that_it_uses() -> None:
    lines = Snippets("jax", execution="jit", composition="", device="cpu").lines("value", call="f(logits, axis=where)")
    assert lines == [
        "@jax.jit",
        "def function(logits, where):",
        "    return f(logits, axis=where)",
        "",
        "value = function(logits, where)",
    ]

"""A script's inputs lie in memory as the backend's did: the same strides, in memory of the same extent."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance.cases.expand import expand
from conformance.cases.load import load_suite
from conformance.model.layouts import BETWEEN, LAYOUTS
from conformance.repro.snippets import Snippets
from conformance.repro.writer import Script
from conformance.run.chunk import request_of
from conformance.worker import wire
from conformance.worker.memory import Region, place, room_for

#: Equal along axis 0, windows along the others, and of extents that differ: every layout fits, and shows.
CASE = """\
theme: layouts
cases:
  - id: here
    why: w
    op: OPERATION
    logits: [[[1, 2, 3, 4], [2, 3, 4, 5], [3, 4, 5, 6]], [[1, 2, 3, 4], [2, 3, 4, 5], [3, 4, 5, 6]]]
    reductions: [none]
    dtypes: [float32]
    layouts: [LAYOUT]
"""
WEIGHTED = "    targets: [[1, 2, 0, 0], [2, 1, 0, 2]]\n    weight: [4, 5, 6]\n"
SOME = [
    "weight=sliced",
    "targets=time-major",
    "logits=padded+targets=alternate-rows+weight=offset+upstream=cut",
    "upstream=beside-logits",
]
TORCH_LACKS = ("reversed", "reversed-rows", "byte-swapped")


def operands(script: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch warns of memory that is read-only
        exec(script, names)
    return names


def strides_in_bytes(tensor: Any) -> tuple[int, ...]:
    if isinstance(tensor, np.ndarray):
        return tensor.strides
    return tuple(step * tensor.element_size() for step in tensor.stride())


@pytest.mark.framework
@pytest.mark.parametrize(
    "layout", [*(each for each in LAYOUTS if each not in BETWEEN), *SOME, "upstream=beside-logits"]
)
@pytest.mark.parametrize("template", ["numpy", "torch"])
def test_a_script_builds_the_same_view(template: str, layout: str, tmp_path: Path) -> None:
    if template == "torch":
        pytest.importorskip("torch")
        if any(each in layout for each in TORCH_LACKS):
            pytest.skip("PyTorch has no such memory")
    operation = "softmax" if layout == "upstream=beside-logits" else "cross_entropy"
    text = CASE.replace("LAYOUT", layout).replace("OPERATION", operation)
    (tmp_path / "case.yaml").write_text(text if operation == "softmax" else text + WEIGHTED)
    (problem,) = expand(load_suite([tmp_path]).entries[0]).problems
    request = request_of(problem, "none", 0, gradient=True, repeat=False)
    script = Script(Snippets(template, execution="", composition="", device="cpu"))
    script.inputs(problem, request, "upstream")
    written = operands(script.finished([]).text)

    region = Region(shared=False)
    region.begin(room_for(request))
    call = place(region, request, 7, 0).call
    assert call.upstream is not None
    placed = {"logits": call.logits, **call.operands, "upstream": call.upstream}
    sent = {"logits": request.logits, **request.operands, "upstream": request.upstream}
    for name, operand in placed.items():
        assert isinstance(operand, wire.Operand)
        tensor = written[name]
        assert strides_in_bytes(tensor) == operand.strides, name
        assert np.asarray(tensor).astype(sent[name].dtype).tobytes() == sent[name].tobytes(), name


def test_a_row_of_the_logits_is_written_as_one(tmp_path: Path) -> None:
    text = (
        CASE.replace("LAYOUT", "targets=within-logits")
        .replace("OPERATION", "cross_entropy")
        .replace("[1, 2", "[1.0, 2")
    )
    numbers = text.split("logits: ")[1].split("\n")[0]
    (tmp_path / "case.yaml").write_text(f"{text}    targets: {numbers}\n")
    (problem,) = expand(load_suite([tmp_path]).entries[0]).problems
    request = request_of(problem, "none", 0, gradient=True, repeat=False)
    script = Script(Snippets("numpy", execution="", composition="", device="cpu"))
    script.inputs(problem, request)
    written = operands(script.finished([]).text)
    assert np.shares_memory(written["targets"], written["logits"]) and "targets = logits[...]" in script.lines

"""Memory and operands, as PyTorch takes them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance.backends.contract import Call, Unsupported
from conformance.cases.load import load_suite
from conformance.places import CASES
from conformance.run.judged import judged
from tests.support.adapters import backend_of, numpy_dtype, options


class TestTorch:
    def test_memory_is_shared_as_it_lies(self) -> None:
        backend = backend_of("torch")
        raw = np.zeros(8 * 6 + 1, np.uint8)
        odd = raw[1:].view(np.float64).reshape(2, 3)
        assert backend.tensor(odd).data_ptr() == odd.ctypes.data and odd.ctypes.data % 8 == 1
        assert backend.tensor(odd.T).stride() == (1, 3)
        half = np.zeros((4, 6), numpy_dtype("bfloat16"))[:, ::2]
        assert backend.tensor(half).stride() == (6, 2)
        with pytest.raises(Unsupported, match="negative strides"):
            backend.tensor(odd[::-1])

    def test_read_only_arrays_are_taken_without_a_warning(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert backend_of("torch").tensor(np.broadcast_to(np.ones(3), (2, 3))).stride() == (0, 1)

    @pytest.mark.parametrize("spec", ["torch", "torch:module"])
    def test_targets_that_are_not_tensors_are_left_to_torch(self, spec: str) -> None:
        backend = backend_of(spec)
        targets: Any = [1]
        call = Call("cross_entropy", {"targets": backend.tensor(targets)}, options("cross_entropy", 1))
        with pytest.raises(TypeError, match="must be Tensor"):
            backend.evaluate(call, backend.tensor(np.zeros((1, 3))))


MINE = """
from conformance.backends.adapters.torch import Torch


class Mine(Torch):
    def {method}(self, *given, **options):
        return super().{method}(*given, **options)
"""


@pytest.mark.parametrize("own", ["", "backend: mine\nextends: torch\n"], ids=["", "profile"])
@pytest.mark.parametrize(("method", "verdict"), [("log_softmax", "known"), ("nll_loss", "fail")])
def test_what_pytorchs_nll_loss_raises_is_not_the_fault_of_ones_log_softmax(
    tmp_path: Path, method: str, verdict: str, own: str
) -> None:
    (tmp_path / "mine.py").write_text(MINE.format(method=method))
    if own:
        (tmp_path / "mine.profile.yaml").write_text(own)
    case = "along.composed.rank-4.axis-minus-2.default.last-class"
    entries = [each for each in load_suite((CASES,)).entries if each.case.id == case]
    found = [each for unit in judged(str(tmp_path / "mine.py"), entries, dtypes=("float32",)) for each in unit]
    assert {each.verdict for each in found if each.check == "gradient"} == {verdict}
    assert {each.verdict for each in found if each.check == "value"} == {"pass"}

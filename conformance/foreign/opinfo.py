"""OpInfo's samples: the inputs that PyTorch tests its own operators with, from the package ``torch``.

https://github.com/pytorch/pytorch/blob/main/torch/testing/_internal/common_methods_invocations.py

OpInfo states no values for these operators: what a device gives is held against what the processor gives (test_ops.py,
``test_compare_cpu``). So the value of a sample is PyTorch's own on the processor, which is not an independent truth.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Collection
from typing import Any

import numpy as np

from conformance.extras import imported
from conformance.foreign.call import ForeignCall, LeftOutTest, Taken
from conformance.model.case import OperationName, Provenance

__all__ = ["OPERATORS", "SEED", "take", "tolerances"]

#: PyTorch's operators by ours.
OPERATORS: dict[str, OperationName] = {
    "softmax": "softmax",
    "torch.ops.aten._safe_softmax.default": "softmax",
    "masked.softmax": "softmax",
    "log_softmax": "log_softmax",
    "masked.log_softmax": "log_softmax",
    "nn.functional.nll_loss": "nll_loss",
    "nn.functional.cross_entropy": "cross_entropy",
}
#: That of PyTorch's own test cases.
SEED = 1234
_LICENSE = "BSD-3-Clause"
_FILE = "torch/testing/_internal/common_methods_invocations.py"
_FEATURE = "OpInfo's samples need"


def take(ops: Collection[str] = (), dtype: str = "float32") -> Taken:
    """The samples of the operators in ``dtype``, of those in ``ops`` where it names some.

    Raises UsageError where ``torch``, or ``expecttest``, which its tests import, is not installed. The samples are
    drawn with a seed; the states of the generators of Python and NumPy are put back.
    """
    torch = imported("torch", "torch", _FEATURE)
    version = torch.__version__.partition("+")[0]
    taken = Taken({"torch": str(torch.__version__)})
    python, numpy = random.getstate(), np.random.get_state()
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")
        invocations = imported("torch.testing._internal.common_methods_invocations", "foreign", _FEATURE)
        tests = imported("torch.testing._internal.common_utils", "foreign", _FEATURE)
        for operator in invocations.op_db:
            if operator.name in OPERATORS and (not ops or OPERATORS[operator.name] in ops):
                tests.set_rng_seed(SEED)
                for number, sample in enumerate(operator.sample_inputs("cpu", getattr(torch, dtype))):
                    name = " ".join(word for word in (operator.name, operator.variant_test_name) if word)
                    source = Provenance(
                        project="pytorch", version=version, test=f"{name}, sample {number}", license=_LICENSE
                    )
                    taken.add(_call(torch, operator, sample, number, source))
    random.setstate(python)
    np.random.set_state(numpy)
    return taken


def tolerances(torch: Any, operator: Any, dtype: Any) -> tuple[float, float]:
    """rtol and atol of ``torch.testing.assert_close``, or those that the operator states for comparing devices."""
    for decorator in operator.get_decorators("TestCommon", "test_compare_cpu", "cpu", dtype, {}):
        stated = getattr(decorator, "d", {}).get(dtype)
        if stated is not None:
            return float(stated.rtol), float(stated.atol)
    rtol, atol = torch.testing._comparison.default_tolerances(dtype)
    return float(rtol), float(atol)


def _call(torch: Any, operator: Any, sample: Any, number: int, source: Provenance) -> ForeignCall | LeftOutTest:
    op = OPERATORS[operator.name]
    options = dict(sample.kwargs)
    if options.pop("dtype", None) is not None:
        return LeftOutTest(
            test=source.test, reason="not expressible", detail="a result in another dtype than the input's"
        )
    logits = sample.input.numpy()
    rtol, atol = tolerances(torch, operator, sample.input.dtype)
    common: dict[str, Any] = {
        "id": _id(operator, sample, number),
        "source": source,
        "reference": f"https://github.com/pytorch/pytorch/blob/v{source.version}/{_FILE}",
        "op": op,
        "logits": logits,
        "value": operator(sample.input, *sample.args, **sample.kwargs).numpy(),
        "rtol": rtol,
        "atol": atol,
    }
    if op in ("softmax", "log_softmax"):
        axis = options.pop("dim") if "dim" in options else sample.args[0]
        mask = options.pop("mask", None)
        where = None if mask is None else np.broadcast_to(mask.numpy(), logits.shape).astype(np.int64)
        found = ForeignCall(axis=axis, where=where, **common)
    else:
        (targets,) = sample.args
        weight = options.pop("weight", None)
        found = ForeignCall(
            axis=1 if logits.ndim > 1 else 0,
            targets=targets.numpy(),
            weight=None if weight is None else weight.numpy(),
            ignore_index=options.pop("ignore_index", None),
            label_smoothing=options.pop("label_smoothing", None),
            reduction=options.pop("reduction", "mean"),
            **common,
        )
    if options:
        return LeftOutTest(test=source.test, reason="not expressible", detail=f"the argument {', '.join(options)}")
    return found


def _id(operator: Any, sample: Any, number: int) -> str:
    """``opinfo.cross-entropy.14-2x3-weight-mean``: the number of the sample, and what is particular about it."""
    name = operator.name.removeprefix("nn.functional.").removeprefix("torch.ops.aten._").removesuffix(".default")
    words = ["x".join(map(str, sample.input.shape)) or "scalar"]
    if sample.args and getattr(sample.args[0], "shape", None) == sample.input.shape:
        words.append("probabilities")
    words += [key for key, value in sample.kwargs.items() if _is_tensor(value) or key == "ignore_index"]
    if "reduction" in sample.kwargs:
        words.append(sample.kwargs["reduction"])
    return f"opinfo.{name}.{number:02}-{'-'.join(words)}".lower().replace("_", "-")


def _is_tensor(value: Any) -> bool:
    return isinstance(getattr(value, "shape", None), tuple)

"""ONNX's node tests: https://github.com/onnx/onnx/tree/main/onnx/backend/test/case/node, from the package ``onnx``."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np

from conformance.extras import imported
from conformance.foreign.call import ForeignCall, LeftOutTest, Taken
from conformance.model.case import OperationName, Provenance
from conformance.numerics.formats import DTYPES

__all__ = ["take"]

#: ONNX's operators by ours, with the module of their tests.
_OPERATORS: dict[str, tuple[OperationName, str]] = {
    "Softmax": ("softmax", "softmax"),
    "LogSoftmax": ("log_softmax", "logsoftmax"),
    "NegativeLogLikelihoodLoss": ("nll_loss", "negativeloglikelihoodloss"),
    "SoftmaxCrossEntropyLoss": ("cross_entropy", "softmax_cross_entropy_loss"),
}
#: The attributes that a case can say, of operators without targets and of losses.
_ATTRIBUTES = {False: {"axis"}, True: {"ignore_index", "reduction"}}
#: Before, Softmax and LogSoftmax took all axes from the stated one on together.
_FIRST_OPSET = 13
_NODES = "onnx.backend.test.case.node"
_LICENSE = "Apache-2.0"
_FEATURE = "ONNX's node tests need"


def take(ops: Collection[str] = ()) -> Taken:
    """The node tests of the four operators, of those in ``ops`` where it names some.

    Raises UsageError where ``onnx`` is not installed. Its tests are made with seeds when their modules are imported.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        onnx = imported("onnx", "foreign", _FEATURE)
        nodes = imported(_NODES, "foreign", _FEATURE)
        for _, module in _OPERATORS.values():
            imported(f"{_NODES}.{module}", "foreign", _FEATURE)
    taken = Taken({"onnx": onnx.__version__})
    tests = {test.name: test for test in nodes._NodeTestCases}
    for name, test in tests.items():
        # A test in which the node is replaced by the operators that define it makes the same call.
        plain = tests.get(name.partition("_expanded")[0], test)
        operator = plain.model.graph.node[0].op_type if len(plain.model.graph.node) else ""
        if operator not in _OPERATORS or (ops and _OPERATORS[operator][0] not in ops):
            continue
        if problem := _problem(plain, operator):
            taken.add(LeftOutTest(test=name, reason="not expressible", detail=problem))
            continue
        for each in _calls(name, plain, operator, onnx):
            taken.add(each)
    return taken


def _problem(test: Any, operator: str) -> str:
    """Why a test is not one call of an operator as a case has it, which another version may bring; empty for none."""
    graph, (inputs, outputs) = test.model.graph, test.data_sets[0]
    node = graph.node[0]
    opset = next((each.version for each in test.model.opset_import if not each.domain), 0)
    loss = _OPERATORS[operator][0] in ("nll_loss", "cross_entropy")
    unknown = sorted({each.name for each in node.attribute} - _ATTRIBUTES[loss])
    if len(graph.node) > 1:
        return f"{len(graph.node)} nodes"
    if node.domain or opset < _FIRST_OPSET:
        return f"domain {node.domain}" if node.domain else f"opset {opset}"
    if unknown:
        return f"the attribute {', '.join(unknown)}"
    given = [word for word in node.input if word]
    if len(inputs) != len(given) or len(inputs) < 1 + loss or len(outputs) != len(node.output):
        return f"{len(inputs)} inputs and {len(outputs)} outputs"
    if str(np.asarray(inputs[0]).dtype) not in DTYPES:
        return f"numbers of dtype {np.asarray(inputs[0]).dtype}"
    return ""


def _id(test: str) -> str:
    return "onnx." + test.removeprefix("test_").lower().replace("_", "-")


def _calls(name: str, test: Any, operator: str, onnx: Any) -> Iterator[ForeignCall]:
    """The call of the first output of a test's node; a second one of a loss are the log-probabilities."""
    (node,) = test.model.graph.node
    op, module = _OPERATORS[operator]
    stated = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
    inputs, outputs = test.data_sets[0]
    given = dict(zip((place for place, word in enumerate(node.input) if word), map(np.asarray, inputs), strict=True))
    common: dict[str, Any] = {
        "reference": f"https://github.com/onnx/onnx/blob/v{onnx.__version__}/{_NODES.replace('.', '/')}/{module}.py",
        "logits": given[0],
        "rtol": test.rtol,
        "atol": test.atol,
    }
    loss = op in ("nll_loss", "cross_entropy")
    source = Provenance(project="onnx", version=onnx.__version__, test=name, license=_LICENSE)
    yield ForeignCall(
        id=_id(name),
        source=source,
        op=op,
        axis=1 if loss else stated.get("axis", -1),
        targets=given.get(1),
        weight=given.get(2),
        ignore_index=stated.get("ignore_index"),
        reduction=stated.get("reduction", b"mean").decode() if loss else "none",
        value=np.asarray(outputs[0]),
        **common,
    )
    if len(outputs) > 1:
        second = f"{name}: {node.output[1]}"
        yield ForeignCall(
            id=f"{_id(name)}.output-2",
            source=Provenance(project="onnx", version=onnx.__version__, test=second, license=_LICENSE),
            op="log_softmax",
            axis=1,
            value=np.asarray(outputs[1]),
            **common,
        )

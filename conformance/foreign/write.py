"""Foreign calls as case files: a file for each operation, in a theme named for the source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from conformance.cases.checks import complaints_about
from conformance.cases.expand import expand
from conformance.cases.load import Entry
from conformance.cases.text import flow_text, keys_of
from conformance.disk import write
from conformance.foreign.call import ForeignCall, LeftOutTest
from conformance.model.case import Case
from conformance.model.errors import CaseError
from conformance.model.problem import Array
from conformance.plain import command_line

__all__ = ["WrittenCases", "write_cases"]


class WrittenCases(msgspec.Struct, frozen=True, kw_only=True):
    """The files, the calls whose cases they hold, and the tests that have none."""

    files: list[Path]
    calls: list[ForeignCall]
    left_out: list[LeftOutTest]


def write_cases(calls: Sequence[ForeignCall], folder: Path, theme: str, most: int) -> WrittenCases:
    """Write ``folder``/THEME/OP.yaml for each operation, of the calls whose operands hold at most ``most`` numbers.

    Calls that ask the same have one case. Raises HarnessError where the disk refuses.
    """
    left: list[LeftOutTest] = []
    kept: dict[bytes, tuple[ForeignCall, Case]] = {}
    ids: set[str] = set()
    for call in calls:
        test = call.source.test
        if (same := kept.get(call.digest)) is not None:
            left.append(LeftOutTest(test=test, reason="same call", other=same[0].id))
            continue
        if call.count > most:
            left.append(LeftOutTest(test=test, reason="too large", detail=f"{call.count} numbers, more than {most}"))
            continue
        try:
            case = _case(call)
            problem = f"the id {case.id} of another test" if case.id in ids else _problem(case, theme)
        except msgspec.ValidationError as error:
            problem = str(error)
        if problem:
            left.append(LeftOutTest(test=test, reason="not expressible", detail=problem))
        else:
            kept[call.digest] = call, case
            ids.add(case.id)
    by_op: dict[str, list[Case]] = {}
    for _, case in kept.values():
        by_op.setdefault(case.op, []).append(case)
    files = [write(folder / theme / f"{op.replace('_', '-')}.yaml", _text(theme, cases)) for op, cases in by_op.items()]
    return WrittenCases(files=files, calls=[call for call, _ in kept.values()], left_out=left)


def _case(call: ForeignCall) -> Case:
    """The case of a call, in the dtype of its logits alone."""
    source = call.source
    keys: dict[str, Any] = {
        "id": call.id,
        "why": f"{source.project} holds its own implementations to this: {source.test}",
        "references": [call.reference],
        "source": source,
        "op": call.op,
        "log_probabilities" if call.op == "nll_loss" else "logits": _numbers(call.logits),
        "dtypes": [str(call.logits.dtype)],
    }
    if call.targets is not None:
        labels = call.targets.dtype.kind in "iu"
        keys["targets"] = _numbers(call.targets)
        keys["targets_as"] = "indices" if labels else "probabilities"
        keys["reductions"] = [call.reduction]
        if labels and call.targets.dtype != np.int64:
            keys["target_dtype"] = str(call.targets.dtype)
    if call.axis != (1 if call.logits.ndim > 1 else 0):
        keys["axis"] = call.axis
    for name in ("weight", "where"):
        operand = getattr(call, name)
        if operand is not None:
            keys[name] = _numbers(operand)
    for name in ("ignore_index", "label_smoothing"):
        if getattr(call, name) is not None:
            keys[name] = getattr(call, name)
    return msgspec.convert(keys, Case)


def _problem(case: Case, theme: str) -> str:
    """Why a case cannot say what the call asks; empty where it can."""
    complaint = next(iter(complaints_about(case)), None)
    if complaint is not None:
        return complaint.problem
    try:
        expand(Entry(case, theme, Path(f"{theme}.yaml"), 0))
    except CaseError as error:
        return error.problem
    return ""


def _numbers(array: Array) -> Any:
    """As a case file has them: with as few digits as the dtype needs, and of nothing by a generator."""
    if not array.size:  # lists of nothing have no shape
        labels = array.dtype.kind in "iu"
        kind = {"distribution": "labels", "classes": 1} if labels else {"distribution": "constant"}
        return {**kind, "shape": [*array.shape]}
    if array.dtype.kind in "biu":
        return array.astype(np.int64).tolist()
    short = np.array([float(str(each)) for each in array.reshape(-1)], dtype=np.float64)
    wide = array.astype(np.float64)
    same = short.astype(array.dtype).reshape(array.shape).tobytes() == array.tobytes()
    return (short.reshape(array.shape) if same else wide).tolist()


def _text(theme: str, cases: Sequence[Case]) -> str:
    source = cases[0].source
    assert source is not None
    command = command_line("conformance", "import", theme)
    lines = [
        f"# Written by `{command}` from {source.project} {source.version} ({source.license}).",
        f"theme: {theme}",
        "cases:",
        *(line for case in cases for line in _lines(case)),
    ]
    return "\n".join(lines) + "\n"


def _lines(case: Case) -> Iterator[str]:
    for number, (name, value) in enumerate(keys_of(case).items()):
        yield f"{'    ' if number else '  - '}{name}: {flow_text(value)}"

"""A dozen small calls that show whether an adapter is sound before a full run is worth its time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.cases.load import Entry
from conformance.model.backend import BackendId
from conformance.model.case import OPERATIONS, Case
from conformance.model.outcome import Outcome
from conformance.model.verdicts import ALARMING, NONCONFORMING
from conformance.run.judged import open_backend
from conformance.run.plan import Plan
from conformance.worker.exchange import Description
from conformance.worker.limits import Limits

__all__ = ["Checked", "Smoke", "smoke", "smoke_cases", "smoke_entries"]

_ROWS = [[1.0, 2.0, 0.5, -1.0], [0.0, -3.0, 4.0, 0.25], [2.5, 2.5, 2.5, 2.5]]
_DECREASING = [[-0.25, -1.5, -2.0, -3.0], [-0.125, -2.5, -4.0, -5.0]]
_PREDICTED = [[0.5, 0.25, 0.125, 0.125], [0.0625, 0.75, 0.125, 0.0625]]
_PROBABILITIES = [[0.5, 0.25, 0.25, 0.0], [0.0, 0.0, 1.0, 0.0], [0.25, 0.25, 0.25, 0.25]]


def smoke_cases() -> Iterator[Case]:
    """The built-in calls: every operation, dtype and reduction, each feature once; numbers exact in every dtype."""
    yield from (_case(f"smoke-{op.replace('_', '-')}", op=op, logits=_ROWS) for op in ("softmax", "log_softmax"))
    yield _case("smoke-softmax-of-rank-3", op="softmax", logits=[_ROWS, _ROWS], axis=2, dtypes=("float32",))
    yield _case("smoke-nll-loss", op="nll_loss", log_probabilities=_DECREASING, targets=[1, 3])
    yield _case("smoke-nll-loss-of-log-softmax", op="nll_loss_of_log_softmax", logits=_ROWS, targets=[0, 2, 3])
    yield _case("smoke-log-loss", op="log_loss", probabilities=_PREDICTED, targets=[1, 0])
    loss: dict[str, Any] = {"op": "cross_entropy", "logits": _ROWS}
    yield _case("smoke-cross-entropy", **loss, targets=[0, 2, 3])
    small: dict[str, Any] = {**loss, "targets": [0, 2, 3], "dtypes": ("float32",)}
    yield _case("smoke-weight", **small, weight=[0.5, 1.0, 2.0, 4.0])
    yield _case("smoke-ignore-index", **{**small, "targets": [0, -1, 3]}, ignore_index=-1)
    yield _case("smoke-label-smoothing", **small, label_smoothing=0.25)
    yield _case("smoke-probability-targets", **{**small, "targets": _PROBABILITIES})
    yield _case("smoke-unbatched", op="cross_entropy", logits=_ROWS[0], targets=2, dtypes=("float32",))
    wrong = {**small, "targets": [0, 2]}
    yield _case("smoke-targets-of-the-wrong-shape", **wrong, expect={"error": "two targets for three positions"})


def smoke_entries() -> list[Entry]:
    """The built-in calls as the cases of a suite; they stand in no file."""
    return [Entry(case, "smoke", Path("<built in>"), index) for index, case in enumerate(smoke_cases())]


def _case(name: str, **keys: Any) -> Case:
    import msgspec

    return msgspec.convert({"id": name, "why": "a smoke test", **keys}, Case)


@dataclass(frozen=True)
class Checked:
    """One operation: ``state`` is how it is offered, or what is wrong; ``first`` is its first fault.

    ``unsupported`` calls have no value; ``values_only`` ones have no gradient, and are sound if the value is right.
    ``lacking`` is the first such gradient.
    """

    operation: str
    state: str
    calls: int
    sound: int
    unsupported: int
    values_only: int
    first: Outcome | None
    lacking: Outcome | None
    source: str


@dataclass(frozen=True)
class Smoke:
    """What the smoke test found of a backend; ``exit_code`` as the command line's."""

    name: str
    id: BackendId
    versions: dict[str, str]
    checked: tuple[Checked, ...]

    @property
    def exit_code(self) -> int:
        """1 for a wrong result, 3 for a fault of the adapter or where calls could not be checked, 0 otherwise."""
        verdicts = {each.first.verdict for each in self.checked if each.first}
        if verdicts & NONCONFORMING:
            return 1
        return 3 if verdicts & {"error", "not run"} or not any(each.sound for each in self.checked) else 0


def smoke(found: Any, limits: Limits | None = None) -> Smoke:
    """Make the built-in calls on the backend that discovery ``found``.

    Raises BackendUnavailable where it cannot be loaded.
    """
    with open_backend(found, limits=limits or Limits(hangs=1)) as backend:
        description, subject = backend.description, backend.subject
        # Case by case: what was answered before a call that hangs is on record.
        portions = [portion for entry in smoke_entries() for portion in Plan([entry], identities=False).portions]
        outcomes = [each for portion in portions for each in backend.judge(portion).outcomes]
    declared = {name: feature.support for name, feature in subject.profile.operations.items()}
    offered = {**description.offers, **declared}
    checked = tuple(
        _checked(op, [each for each in outcomes if each.op == op], offered.get(op, ""), description)
        for op in OPERATIONS
    )
    return Smoke(found.name, subject.id, description.versions, checked)


def _checked(operation: str, outcomes: Sequence[Outcome], offered: str, description: Description) -> Checked:
    """What became of an operation's calls; the verdicts that weigh most come first."""
    calls: dict[tuple[str, str, str], list[Outcome]] = {}
    for each in outcomes:
        calls.setdefault((each.case, each.dtype, each.reduction), []).append(each)
    outcomes = [each for each in outcomes if each.verdict != "not run" or each.is_lost]
    bad = [each for each in outcomes if each.verdict == "error"]
    bad += [each for each in outcomes if each.verdict in NONCONFORMING]
    bad += [each for each in outcomes if each.is_lost]
    unsupported = [each for each in outcomes if each.verdict == "unsupported" and each.check != "gradient"]
    lacking = None
    faulty = refused = values_only = 0
    for call in calls.values():
        missing = [each for each in call if each.verdict == "unsupported"]
        if any(each.verdict in ALARMING or each.is_lost for each in call):
            faulty += 1
        elif any(each.check != "gradient" for each in missing):
            refused += 1
        elif missing:
            values_only += 1
            lacking = lacking or missing[0]
    composed = "composed" if operation == "nll_loss_of_log_softmax" else "defined"
    own = "overridden" if operation in description.overridden else offered or composed
    state = bad[0].verdict if bad else "unsupported" if calls and refused == len(calls) else own
    source = description.sources.get(operation)
    return Checked(
        operation,
        state,
        len(calls),
        len(calls) - refused - faulty,
        refused,
        values_only,
        next(iter(bad or unsupported), None),
        lacking,
        f"{source.file}:{source.line}" if source and source.file else "",
    )

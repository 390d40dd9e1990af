"""A finding and its problem, and what every form of a script shares: inputs, the place at fault, a number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from conformance.judge.prepared import OF_LOGITS
from conformance.judge.resolve import resolve
from conformance.model.errors import UsageError
from conformance.model.policies import NORMATIVE
from conformance.model.problem import Problem
from conformance.model.records import Outcome
from conformance.model.wording import shown_error
from conformance.numerics.formats import FORMATS
from conformance.plain import blanked
from conformance.repro.exact import exact_text
from conformance.repro.stage import Made, Stage
from conformance.run.plan import request_of
from conformance.worker.exchange import Request

__all__ = ["ENDS", "Scene", "call_of", "failed", "inputs", "is_number", "line_of", "print_number", "worst_index"]

ENDS = {"crash": "the process ends here", "timeout": "this call does not come back"}


@dataclass(frozen=True)
class Scene:
    """A finding and its problem, whose class axis is resolved where it can be."""

    problem: Problem
    outcome: Outcome

    @property
    def resolved(self) -> Problem:
        """The problem with what the caller left open filled in by the normative choices."""
        return resolve(self.problem, NORMATIVE, stated_error=False).problem

    @property
    def reduction(self) -> str:
        """The reduction of the call; normalisers have none."""
        return self.outcome.reduction or "none"


def inputs(stage: Stage, problem: Problem, reduction: str, *, gradient: bool, suffix: str = "") -> Made:
    """Put the inputs of a plain call into the script, and with ``gradient`` its upstream gradient."""
    request = request_of(problem, reduction, 0, gradient=True, repeat=False)
    made = call_of(stage, problem, request, suffix=suffix)
    if not gradient:
        return made
    upstream = problem.upstream.get(reduction)  # type: ignore[call-overload]
    if upstream is None:
        raise UsageError(f"{problem.case.id} has no upstream gradient for {reduction!r}", hint="name a reduction")
    stage.put("upstream", upstream, problem.layout)
    return Made(made.operation, made.options, made.logits, made.operands, "upstream")


def call_of(stage: Stage, problem: Problem, request: Request, *, suffix: str = "") -> Made:
    """Put the logits and operands of a request into the script."""
    stage.put(f"logits{suffix}", request.logits, problem.layout)
    operands = {}
    for name, item in request.operands.items():
        stage.put(f"{name}{suffix}", item, problem.layout)
        operands[name] = f"{name}{suffix}"
    return Made(request.operation, request.options, f"logits{suffix}", operands)


def failed(stage: Stage, outcome: Outcome) -> bool:
    """Whether the call gives no result; a comment then says what comes instead."""
    if outcome.verdict in ENDS:
        stage.say(f"# {ENDS[outcome.verdict]}")
        return True
    raised = outcome.observed is None and outcome.error is not None
    if raised:
        stage.say(f"# raises {line_of(shown_error(outcome, where=False))}")
    return raised


def print_number(
    stage: Stage, scene: Scene, quantity: str, index: tuple[int, ...] | None, name: str | None = None
) -> None:
    """Print the element at ``index`` of the result called ``name`` (that of the quantity), the exact one, the error."""
    outcome = scene.outcome
    where = "" if not index else f"[{', '.join(map(str, index))}]"
    stage.say("", f"observed = float({name or quantity}{where})", 'print("observed:", observed)')
    if not is_number(outcome.expected):
        return
    exact = exact_text(scene.problem, quantity, scene.reduction, index or (), outcome.expected)
    stage.say(f'print("exact:    {exact}")')
    expected, observed = float(outcome.expected), float(outcome.observed)
    if np.isfinite(expected) and np.isfinite(observed) and exact not in ("inf", "-inf", "nan"):
        power = round(float(np.log2(FORMATS[scene.problem.dtype].spacing(np.abs(np.float64(expected))))))
        stage.say(f'print("error:   ", abs(observed - {exact}) / 2.0**{power}, "ulp of {scene.problem.dtype}")')


def worst_index(scene: Scene, quantity: str) -> tuple[int, ...] | None:
    """The index of the element at fault; None for a scalar, or where it is not known."""
    found, position = scene.outcome.worst_input, scene.outcome.position
    problem = scene.resolved
    if not isinstance(found, dict) or position is None or problem.class_axis is None:
        return None
    axis, shape = problem.class_axis, problem.logits.shape
    positions = shape[:axis] + shape[axis + 1 :]
    by_rows = quantity in OF_LOGITS or not problem.takes_targets
    if not by_rows and scene.reduction != "none":
        return None
    place = [int(each) for each in np.unravel_index(position, positions)] if positions else []
    return tuple([*place[:axis], int(found.get("class", 0)), *place[axis:]] if by_rows else place)


def is_number(value: Any) -> bool:
    """Whether a recorded value is a number, as JSON holds it."""
    return isinstance(value, float | int) or value in ("inf", "-inf", "nan")


def line_of(text: str) -> str:
    """Text as one line of a comment."""
    return blanked(text)[:200]

"""What a script does after its inputs, by the kind of check: a form for each."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from conformance.cases.expand import value_shape
from conformance.cases.problem import Problem
from conformance.errors import UsageError
from conformance.judge.identities import derive, identity_names
from conformance.judge.resolve import resolve
from conformance.numerics.formats import FORMATS
from conformance.oracle.policies import NORMATIVE
from conformance.repro.exact import exact_text
from conformance.repro.stage import Made, Stage
from conformance.results.records import Outcome
from conformance.run.plan import request_of

__all__ = ["Scene", "kept_names", "write_form"]

MOST_PAIRS = 16
_ENDS = {"crash": "the process ends here", "timeout": "this call does not come back"}


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


def kept_names(check: str) -> frozenset[str]:
    """Inputs that a form reads after its first call."""
    if check in ("repeatable", "unmodified") or check in identity_names():
        return frozenset({"logits", "targets", "weight"})
    return frozenset()


def write_form(stage: Stage, scene: Scene) -> None:
    """The inputs, the call, and the lines that print what comes of it."""
    check = scene.outcome.check
    if check in identity_names():
        _identity(stage, scene)
        return
    form = _FORMS.get(check)
    if form is None:
        raise UsageError(
            f"there is no script for the check {check!r}", mend=f"checks with a script: {', '.join(sorted(_FORMS))}"
        )
    form(stage, scene)


def _inputs(stage: Stage, problem: Problem, reduction: str, *, gradient: bool, suffix: str = "") -> Made:
    """Put the inputs of a call into the script."""
    request = request_of(problem, reduction, 0, gradient=True, repeat=False)
    stage.put(f"logits{suffix}", request.logits, problem.layout)
    operands = {}
    for name, item in request.operands.items():
        stage.put(f"{name}{suffix}", item, problem.layout)
        operands[name] = f"{name}{suffix}"
    if gradient:
        upstream = problem.upstream.get(reduction)  # type: ignore[call-overload]
        if upstream is None:
            raise UsageError(f"{problem.case.id} has no upstream gradient for {reduction!r}", mend="name a reduction")
        stage.put("upstream", upstream, problem.layout)
    return Made(request.operation, request.options, f"logits{suffix}", operands, "upstream" if gradient else "")


# -- value and gradient -----------------------------------------------------------------------------------------------


def _numbers(stage: Stage, scene: Scene) -> None:
    outcome = scene.outcome
    quantity = outcome.check
    made = _inputs(stage, scene.problem, scene.reduction, gradient=quantity == "gradient")
    raised = outcome.observed is None and ": " in outcome.message and outcome.verdict not in _ENDS
    if outcome.verdict in _ENDS:
        stage.say(f"# {_ENDS[outcome.verdict]}")
    elif raised:
        stage.say(f"# raises {_line(outcome.message.split(' (at ')[0])}")
    if quantity == "gradient":
        stage.gradient(made, "", "gradient")
    else:
        stage.value(made, "value")
    if raised or outcome.verdict in _ENDS:
        return
    if not _is_number(outcome.observed):
        stage.say(f'print("observed:", {quantity}.shape, {quantity}.dtype)')
        if outcome.expected is not None:
            stage.say(f"print({_text(f'expected: {outcome.expected}')})")
        return
    _print_number(stage, scene, quantity, _worst_index(scene, quantity))


def _print_number(stage: Stage, scene: Scene, quantity: str, index: tuple[int, ...] | None) -> None:
    outcome = scene.outcome
    where = "" if not index else f"[{', '.join(map(str, index))}]"
    stage.say("", f"observed = float({quantity}{where})", 'print("observed:", observed)')
    if not _is_number(outcome.expected):
        return
    exact = exact_text(scene.problem, quantity, scene.reduction, index or (), outcome.expected)
    stage.say(f'print("exact:    {exact}")')
    expected, observed = float(outcome.expected), float(outcome.observed)
    if np.isfinite(expected) and np.isfinite(observed) and exact not in ("inf", "-inf", "nan"):
        power = round(float(np.log2(FORMATS[scene.problem.dtype].spacing(np.abs(np.float64(expected))))))
        stage.say(f'print("error:   ", abs(observed - {exact}) / 2.0**{power}, "ulp of {scene.problem.dtype}")')


def _worst_index(scene: Scene, quantity: str) -> tuple[int, ...] | None:
    """The index of the element at fault; None for a scalar, or where it is not known."""
    found = scene.outcome.worst_input
    problem = scene.resolved
    if not isinstance(found, dict) or problem.class_axis is None:
        return None
    axis, shape = problem.class_axis, problem.logits.shape
    positions = shape[:axis] + shape[axis + 1 :]
    by_rows = quantity == "gradient" or not problem.takes_targets
    if not by_rows and scene.reduction != "none":
        return None
    place = [int(each) for each in np.unravel_index(int(found["position"]), positions)] if positions else []
    return tuple([*place[:axis], int(found.get("class", 0)), *place[axis:]] if by_rows else place)


# -- errors, warnings, state ------------------------------------------------------------------------------------------


def _must_raise(stage: Stage, scene: Scene) -> None:
    problem = scene.problem
    by_gradient = _upstream_is_at_fault(scene)
    made = _inputs(stage, problem, scene.reduction, gradient=by_gradient)
    reason = _reason(scene.outcome.message)
    stage.say(f"# must raise: {_line(reason)}")
    if by_gradient:
        stage.gradient(made, "", "gradient")
    else:
        stage.value(made, "value")
    name = "gradient" if by_gradient else "value"
    stage.say(f'print("observed:", {name})', 'print("expected: an error")')


def _upstream_is_at_fault(scene: Scene) -> bool:
    problem = scene.problem
    upstream = problem.upstream.get(scene.reduction)  # type: ignore[call-overload]
    if problem.case.upstream is None or upstream is None:
        return False
    shape = value_shape(scene.reduction, problem.logits.shape, problem.target_kind, problem.targets, problem.class_axis)
    return bool(upstream.shape != shape)


def _reason(message: str) -> str:
    return message.partition("returned a result although ")[2].partition(" [known:")[0] or "the input is invalid"


def _warning(stage: Stage, scene: Scene) -> None:
    made = _inputs(stage, scene.problem, scene.reduction, gradient=False)
    stage.say("warnings.simplefilter('always')", f"# {_line(scene.outcome.message)}")
    stage.value(made, "value")
    stage.say('print("observed:", value)')


def _repeatable(stage: Stage, scene: Scene) -> None:
    made = _inputs(stage, scene.problem, scene.reduction, gradient=False)
    for name in ("first", "second"):
        stage.value(made, name)
        stage.array(name, name)
    stage.say('print("the same bits:", first.tobytes() == second.tobytes())')


def _unmodified(stage: Stage, scene: Scene) -> None:
    made = _inputs(stage, scene.problem, scene.reduction, gradient=False)
    arrays = {name: each for name, each in {"logits": made.logits, **made.operands}.items()
              if name == "logits" or isinstance(getattr(scene.problem, name, None), np.ndarray)}  # fmt: skip
    for name, tensor in arrays.items():
        stage.array(tensor, f"{name}_before")
        stage.say(f"{name}_before = {name}_before.copy()")
    stage.value(made, "value")
    for name, tensor in arrays.items():
        stage.array(tensor, f"{name}_after")
        stage.say(f'print("{name} unmodified:", {name}_before.tobytes() == {name}_after.tobytes())')


# -- sums and identities ----------------------------------------------------------------------------------------------


def _sum(stage: Stage, scene: Scene) -> None:
    quantity = "value" if scene.outcome.check == "probability-sum" else "gradient"
    made = _inputs(stage, scene.problem, "none", gradient=quantity == "gradient")
    if quantity == "gradient":
        stage.gradient(made, "", "gradient")
    else:
        stage.value(made, "value")
    problem = scene.resolved
    axis, shape = problem.class_axis or 0, problem.logits.shape
    found = re.search(r"position (\d+) sum", scene.outcome.message)
    positions = shape[:axis] + shape[axis + 1 :]
    place = [str(int(i)) for i in np.unravel_index(int(found[1]) if found else 0, positions)] if positions else []
    index = ", ".join([*place[:axis], ":", *place[axis:]])
    stage.say("", f'print("observed:", sum(float(each) for each in {quantity}[{index}]))')
    stage.say(f'print("exact:    {1 if quantity == "value" else 0}")')


def _identity(stage: Stage, scene: Scene) -> None:
    """The call, the transformed call, and the results that must agree."""
    problem, outcome = scene.resolved, scene.outcome
    derived = next((d for d in derive(problem) if d.name == outcome.check and d.reduction == scene.reduction), None)
    if derived is None:
        raise UsageError(f"{problem.case.id} has no identity {outcome.check!r}", mend="name another --check")
    made = _inputs(stage, problem, scene.reduction, gradient=False)
    stage.value(made, "value")
    stage.say("")
    if outcome.check == "composed":
        options = tuple((name, each) for name, each in made.options if name != "label_smoothing")
        other = Made(derived.problem.operation, options, made.logits, made.operands)
    else:
        other = _inputs(stage, derived.problem, scene.reduction, gradient=False, suffix="_other")
    stage.value(other, "other")
    stage.say("")
    here = _indices(problem, scene.reduction, derived.source)
    there = _indices(derived.problem, scene.reduction, derived.take)
    if here is None or there is None:
        stage.say('print("observed:", float(other), "instead of", float(value))')
        return
    pairs = list(zip(here, there, strict=True))
    stage.say(f"for here, there in {pairs[:MOST_PAIRS]}:")
    stage.say('    print("observed:", float(other[there]), "instead of", float(value[here]))')


def _indices(problem: Problem, reduction: str, flat: Any) -> list[tuple[int, ...]] | None:
    """Indices into the result of flat places in row order; None where the result is a scalar."""
    axis, shape = problem.class_axis or 0, problem.logits.shape
    positions = shape[:axis] + shape[axis + 1 :]
    if problem.takes_targets:
        if reduction != "none" or not positions:
            return None
        return [tuple(int(i) for i in np.unravel_index(int(each), positions)) for each in flat]
    found = []
    for each in flat:
        row, klass = divmod(int(each), shape[axis])
        place = [int(i) for i in np.unravel_index(row, positions)] if positions else []
        found.append((*place[:axis], klass, *place[axis:]))
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, float | int) or value in ("inf", "-inf", "nan")


def _line(text: str) -> str:
    """Text as one line of a comment."""
    return "".join(c if c.isprintable() else " " for c in text)[:200]


def _text(text: str) -> str:
    return repr(_line(text))


_FORMS: dict[str, Callable[[Stage, Scene], None]] = {
    "value": _numbers,
    "gradient": _numbers,
    "error": _must_raise,
    "warning": _warning,
    "repeatable": _repeatable,
    "unmodified": _unmodified,
    "probability-sum": _sum,
    "gradient-sum": _sum,
}

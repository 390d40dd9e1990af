"""What a script does after its inputs, by the kind of check: a form for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from conformance.cases.expand import value_shape
from conformance.judge.identities import derive, identity_names
from conformance.model.errors import UsageError
from conformance.model.problem import Problem
from conformance.model.wording import statement
from conformance.repro.choices import policy
from conformance.repro.scene import Scene, failed, inputs, is_number, line_of, print_number, worst_index
from conformance.repro.stage import Made, Stage
from conformance.repro.transforms import METHODS, transformed

__all__ = ["kept_names", "write_form"]

MOST_PAIRS = 16


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
            f"there is no script for the check {check!r}", hint=f"checks with a script: {', '.join(sorted(_FORMS))}"
        )
    form(stage, scene)


# -- value and gradient -----------------------------------------------------------------------------------------------


def _numbers(stage: Stage, scene: Scene) -> None:
    outcome = scene.outcome
    quantity = outcome.check
    made = inputs(stage, scene.problem, scene.reduction, gradient=quantity == "gradient")
    ends = failed(stage, outcome)
    if quantity == "gradient":
        stage.gradient(made, "", "gradient")
    else:
        stage.value(made, "value")
    if ends:
        return
    if not is_number(outcome.observed):
        stage.say(f'print("observed:", {quantity}.shape, {quantity}.dtype)')
        if outcome.expected is not None:
            stage.say(f"print({_text(f'expected: {outcome.expected}')})")
        return
    print_number(stage, scene, quantity, worst_index(scene, quantity))


# -- errors, warnings, state ------------------------------------------------------------------------------------------


def _must_raise(stage: Stage, scene: Scene) -> None:
    problem = scene.problem
    by_gradient = _upstream_is_at_fault(scene)
    made = inputs(stage, problem, scene.reduction, gradient=by_gradient)
    reason = scene.outcome.detail if scene.outcome.reason in ("no-error", "declared") else ""
    stage.say(f"# must raise: {line_of(reason or 'the input is invalid')}")
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


def _warning(stage: Stage, scene: Scene) -> None:
    made = inputs(stage, scene.problem, scene.reduction, gradient=False)
    stage.say("warnings.simplefilter('always')", f"# {line_of(statement(scene.outcome))}")
    stage.value(made, "value")
    stage.say('print("observed:", value)')


def _repeatable(stage: Stage, scene: Scene) -> None:
    made = inputs(stage, scene.problem, scene.reduction, gradient=False)
    for name in ("first", "second"):
        stage.value(made, name)
        stage.array(name, name)
    stage.say('print("the same bits:", first.tobytes() == second.tobytes())')


def _unmodified(stage: Stage, scene: Scene) -> None:
    made = inputs(stage, scene.problem, scene.reduction, gradient=False)
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
    made = inputs(stage, scene.problem, "none", gradient=quantity == "gradient")
    if quantity == "gradient":
        stage.gradient(made, "", "gradient")
    else:
        stage.value(made, "value")
    problem = scene.resolved
    axis, shape = problem.class_axis or 0, problem.logits.shape
    positions = shape[:axis] + shape[axis + 1 :]
    place = [str(int(i)) for i in np.unravel_index(scene.outcome.position or 0, positions)] if positions else []
    index = ", ".join([*place[:axis], ":", *place[axis:]])
    stage.say("", f'print("observed:", sum(float(each) for each in {quantity}[{index}]))')
    stage.say(f'print("exact:    {1 if quantity == "value" else 0}")')


def _identity(stage: Stage, scene: Scene) -> None:
    """The call, the transformed call, and the results that must agree."""
    problem, outcome = scene.resolved, scene.outcome
    derived = next((d for d in derive(problem) if d.name == outcome.check and d.reduction == scene.reduction), None)
    if derived is None:
        raise UsageError(f"{problem.case.id} has no identity {outcome.check!r}", hint="name another --check")
    made = inputs(stage, problem, scene.reduction, gradient=False)
    stage.value(made, "value")
    stage.say("")
    if outcome.check == "composed":
        options = tuple((name, each) for name, each in made.options if name != "label_smoothing")
        other = Made(derived.problem.operation, options, made.logits, made.operands)
    else:
        other = inputs(stage, derived.problem, scene.reduction, gradient=False, suffix="_other")
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


def _text(text: str) -> str:
    return repr(line_of(text))


_FORMS: dict[str, Callable[[Stage, Scene], None]] = {
    "value": _numbers,
    "gradient": _numbers,
    "error": _must_raise,
    "warning": _warning,
    "repeatable": _repeatable,
    "unmodified": _unmodified,
    "probability-sum": _sum,
    "gradient-sum": _sum,
    "policy": policy,
    **dict.fromkeys(METHODS, transformed),
}

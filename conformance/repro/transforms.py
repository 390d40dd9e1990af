"""The forms of the transforms: derivatives in a direction or by the targets, second derivatives, the vectorised map."""

from __future__ import annotations

from dataclasses import dataclass

from conformance.judge.transforms import QUANTITIES
from conformance.repro.scene import Scene, call_of, failed, is_number, print_number, worst_index
from conformance.repro.stage import Made, Stage
from conformance.run.plan import transform_request

__all__ = ["METHODS", "transformed"]


@dataclass(frozen=True)
class Method:
    """A method of the contract: what it takes after the logits, and the quantities that it gives, in its order."""

    name: str
    takes: tuple[str, ...]
    gives: tuple[str, ...]


METHODS = {
    "forward-mode": Method("directional", ("tangent",), ("value", "tangent")),
    "second-order": Method("hessian_product", ("upstream", "tangent"), ("curvature",)),
    "vectorised-map": Method("mapped", ("upstream",), ("value", "gradient")),
    "target-gradient": Method("target_gradient", ("upstream",), ("slope_of_targets",)),
}
#: What a quantity is called in the script.
_NAMES = {"tangent": "derivative", "curvature": "second_derivative", "slope_of_targets": "target_gradient"}


def transformed(stage: Stage, scene: Scene) -> None:
    """The transformed call, and of its results the number at fault."""
    problem, outcome = scene.problem, scene.outcome
    method = METHODS[outcome.check]
    request = transform_request(problem, outcome.check, scene.reduction, 0)  # type: ignore[arg-type]
    made = call_of(stage, problem, request)
    for name in method.takes:
        stage.put(name, request.upstream if name == "upstream" else request.tangent, problem.layout)
    if outcome.reason == "not-repeatable":
        _twice(stage, made, method)
        return
    ends = failed(stage, outcome)
    results = [_NAMES.get(each, each) for each in method.gives]
    stage.perform(method.name, made, method.takes, results)
    if ends:
        return
    given = outcome.quantity in method.gives
    quantity = outcome.quantity if given else QUANTITIES[outcome.check][0]  # type: ignore[index]
    result = _NAMES.get(quantity, quantity)
    if is_number(outcome.observed):
        print_number(stage, scene, quantity, worst_index(scene, quantity), result)
    else:
        stage.say(f'print("observed:", {result}.shape, {result}.dtype)')


def _twice(stage: Stage, made: Made, method: Method) -> None:
    names = [_NAMES.get(each, each) for each in method.gives]
    for time in ("first", "second"):
        results = [f"{time}_{name}" for name in names]
        stage.perform(method.name, made, method.takes, results)
        for each in results:
            stage.array(each, each)
    for name in names:
        stage.say(f'print("{name}: the same bits:", first_{name}.tobytes() == second_{name}.tobytes())')

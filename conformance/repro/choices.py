"""The form of a policy: the result of the call, which tells what the framework does where implementations differ."""

from __future__ import annotations

from conformance.repro.scene import Scene, inputs, line_of
from conformance.repro.stage import Stage

__all__ = ["policy"]

#: Values of a policy that are an error.
RAISES = frozenset({"raise", "refused"})
MOST_SHOWN = 64


def policy(stage: Stage, scene: Scene) -> None:
    """The value, or the gradient where the policy is one of gradients; its error where that is what was seen."""
    outcome, problem = scene.outcome, scene.problem
    seen = outcome.observed if isinstance(outcome.observed, list) else [outcome.observed]
    of_gradient = outcome.policy.startswith("gradient-") and scene.reduction in problem.upstream
    made = inputs(stage, problem, scene.reduction, gradient=of_gradient)
    said = " or ".join(str(each) for each in seen) or "nothing that the policy knows"
    declared = outcome.expected or "nothing"
    stage.say(f"# {line_of(f'{outcome.policy}: observed {said}; declared {declared}')}")
    if of_gradient:
        stage.gradient(made, "", "gradient")
    else:
        stage.value(made, "value")
    if RAISES.intersection(map(str, seen)) and len(seen) == 1:
        return
    name = "gradient" if of_gradient else "value"
    stage.array(name, name)
    stage.say(f'print("observed:", {name}{"" if problem.logits.size <= MOST_SHOWN else ".ravel()[:8]"})')

"""What a script does for each kind of check: its inputs, its calls, and the lines that print what comes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from conformance.cases.resolve import resolve
from conformance.judge.identities import transformed_calls
from conformance.judge.transforms import TRANSFORM_QUANTITIES
from conformance.model.checks import IDENTITIES
from conformance.model.errors import UsageError
from conformance.model.outcome import Outcome
from conformance.model.policies import NORMATIVE, POLICIES, policy_label
from conformance.model.problem import Problem
from conformance.model.quantities import OF_LOGITS, Quantity
from conformance.numerics.formats import FORMATS
from conformance.plain import blanked
from conformance.repro.literals import MOST_NUMBERS
from conformance.repro.writer import Script
from conformance.run.chunk import request_of, transform_request
from conformance.worker.exchange import Request

__all__ = ["write"]

Place = tuple[int, ...]
#: Pairs of results that an identity prints, and logits above which the recorded exact value is taken as it is.
MOST_PAIRS, SMALL = 16, 64
ENDS = {"crash": "the process ends here", "timeout": "this call does not come back"}
#: What each transform needs beside the call's own inputs.
_NEEDS = {
    "forward-mode": ("tangent",),
    "second-order": ("upstream", "tangent"),
    "vectorised-map": ("upstream",),
    "target-gradient": ("upstream",),
    "second-backward": ("upstream",),
    "concurrent": ("upstream", "other_logits"),
}


def write(script: Script, problem: Problem, outcome: Outcome) -> None:
    """Write the body of a script. Raises ``UsageError`` where the check has none, ``NotInTemplate``, ``ValueError``."""
    if problem.case.spacing is not None:
        raise UsageError(f"{problem.case.id} is a sample of a larger call: there is no script", hint="name another")
    check = outcome.check
    form = _identity if check in IDENTITIES else _FORMS.get(check)
    if form is None:
        raise UsageError(
            f"there is no script for the check {check!r}", hint=f"write one of {', '.join(sorted(_FORMS))}"
        )
    form(script, *_shrunk(problem, outcome))


def _request(problem: Problem, outcome: Outcome) -> Request:
    request = request_of(problem, outcome.reduction or "none", 0, gradient=True, repeat=False)
    upstream = problem.upstream.get(outcome.reduction or "none")  # type: ignore[call-overload]
    return msgspec.structs.replace(request, upstream=upstream)


def _call(script: Script, problem: Problem, outcome: Outcome, *, gradient: bool = False, comment: str = "") -> Request:
    """The inputs of the plain call, a comment, and the call."""
    request = _request(problem, outcome)
    if gradient and request.upstream is None:
        raise UsageError(f"{problem.case.id} has no upstream gradient here", hint="name a --reduction")
    script.inputs(problem, request, *(["upstream"] if gradient else []))
    if comment:
        script.say(f"# {blanked(comment)[:200]}")
    script.run("gradient" if gradient else "value", request)
    return request


# -- numbers ----------------------------------------------------------------------------------------------------------


def _numbers(script: Script, problem: Problem, outcome: Outcome) -> None:
    results: list[Quantity] = ["gradient"] if outcome.check == "gradient" else ["value"]
    if outcome.reason == "failed" and _request(problem, outcome).upstream is not None:
        results = ["value", "gradient"]  # of a process that was asked for both, and ended
    for result in results:
        _call(script, problem, outcome, gradient=result == "gradient", comment=_ending(outcome))
        if _ending(outcome):  # of some frameworks not before the result is read
            script.say(f'print("observed:", {script.shown(result)})')
        else:
            _print(script, problem, outcome, result)


def _transform(script: Script, problem: Problem, outcome: Outcome) -> None:
    check: Any = outcome.check
    if check == "concurrent" and (name := problem.case.in_threads):
        raise UsageError(f"there is no script for {name} in two threads", hint=f"name --check {name}")
    request = transform_request(problem, check, outcome.reduction or "none", 0)
    script.inputs(problem, request, *_NEEDS[check])
    if ending := _ending(outcome):
        script.say(f"# {blanked(ending)[:200]}")
    piece = check.replace("-", "_")
    script.run(piece, request)
    quantities = TRANSFORM_QUANTITIES[check]
    if outcome.reason == "not-repeatable":
        _again(script, quantities, problem.dtype, lambda: script.run(piece, request))
        return
    quantity = outcome.quantity if outcome.quantity in quantities else quantities[0]
    if ending:
        script.say(f'print("observed:", {script.shown(quantity)})')
    else:
        _print(script, problem, outcome, quantity)


def _ending(outcome: Outcome) -> str:
    """What comes in place of a result."""
    if outcome.error is not None:
        return ENDS.get(outcome.verdict, f"raises {outcome.error}")
    return ENDS.get(outcome.verdict, "")


def _print(script: Script, problem: Problem, outcome: Outcome, quantity: Quantity) -> None:
    """Print the element at fault of the result, the exact one, and the error; else shape and dtype."""
    observed, expected = outcome.observed, outcome.expected
    if not _is_number(observed):
        script.say(f'print("observed:", tuple({quantity}.shape), {quantity}.dtype)')
        if expected is not None:
            script.say(f"print({blanked(f'expected: {expected}')[:200]!r})")
        return
    place = _place(problem, outcome, quantity)
    script.say("", f"observed = {script.number(quantity + _index(place))}", 'print("observed:", observed)')
    if not _is_number(expected):
        return
    _compare(script, problem, _exact(problem, outcome, quantity, place), observed)


def _compare(script: Script, problem: Problem, exact: str, observed: Any) -> None:
    """Print the exact value, and how far the script's ``observed`` is from it."""
    script.say(f'print("exact:    {exact}")')
    if np.isfinite(float(exact)) and np.isfinite(float(observed)):
        power = round(float(np.log2(FORMATS[problem.dtype].spacing(np.abs(np.float64(exact))))))
        script.say(f'print("error:   ", abs(observed - {exact}) / 2.0**{power}, "ulp of {problem.dtype}")')


def _exact(problem: Problem, outcome: Outcome, quantity: Quantity, place: Place) -> str:
    """17 digits of the element: from the oracle where that agrees with the recorded double, else that one's."""
    known = float(outcome.expected)
    found = _derived(problem, outcome, quantity, place) if np.isfinite(known) else None
    return found if found is not None and abs(float(found) - known) <= 1e-14 * abs(known) else f"{known:.17g}"


def _derived(problem: Problem, outcome: Outcome, quantity: str, place: Place) -> str | None:
    """17 digits of the element by the oracle; None where that has none, or where there is much to derive."""
    if quantity not in ("value", "gradient") or not 0 < problem.logits.size <= SMALL:
        return None
    from conformance.oracle.text import expected_text

    reduction: Any = outcome.reduction or "none"
    key = "gradient" if quantity == "gradient" else reduction if problem.takes_targets else "value"
    found: Any = expected_text(replace(problem, reductions=(reduction,)), key)
    for each in place:
        found = found[each] if isinstance(found, list) and each < len(found) else None
    return found if isinstance(found, str) else None


# -- errors, warnings, state, policies --------------------------------------------------------------------------------


def _must_raise(script: Script, problem: Problem, outcome: Outcome) -> None:
    upstream = problem.upstream.get(outcome.reduction or "none")  # type: ignore[call-overload]
    shape = problem.value_shape(outcome.reduction or "none")
    by_gradient = problem.case.upstream is not None and upstream is not None and upstream.shape != shape
    reason = outcome.detail or "the input is invalid"
    _call(script, problem, outcome, gradient=by_gradient, comment=f"must raise: {reason}")
    shown = script.shown("gradient" if by_gradient else "value")
    script.say(f'print("observed:", {shown})', 'print("expected: an error")')


def _warning(script: Script, problem: Problem, outcome: Outcome) -> None:
    script.say('warnings.simplefilter("always")')
    said = "no warning came" if outcome.reason == "no-warning" else "a warning comes"
    _call(script, problem, outcome, comment=f"{said}: {outcome.detail}")
    script.say(f'print("observed:", {script.shown("value")})')


def _repeatable(script: Script, problem: Problem, outcome: Outcome) -> None:
    request = _call(script, problem, outcome)
    _again(script, ["value"], problem.dtype, lambda: script.run("value", request))


def _again(script: Script, results: Sequence[Quantity], dtype: str, run: Callable[[], None]) -> None:
    script.say(*(f"first_{name} = {script.array(name, dtype)}.copy()" for name in results))
    run()
    for name in results:
        same = f"first_{name}.tobytes() == {script.array(name, dtype)}.tobytes()"
        script.say(f'print("{name}: the same bits:", {same})')


#: Results of the call that differentiates.
_OF_GRADIENT = "gradient", "value with gradient"


def _unmodified(script: Script, problem: Problem, outcome: Outcome) -> None:
    request = _request(problem, outcome)
    shared = outcome.reason == "shared"
    pairs = outcome.observed if shared and isinstance(outcome.observed, list) else []
    gradient = request.upstream is not None and any(each and each[0] in _OF_GRADIENT for each in pairs)
    script.inputs(problem, request, *(["upstream"] if gradient else []))
    given = {"logits": request.logits, **request.operands} | ({"upstream": request.upstream} if gradient else {})
    arrays = {name: each.dtype.name for name, each in given.items() if isinstance(each, np.ndarray)}
    script.say(*(f"{name}_before = {script.array(name, dtype)}.copy()" for name, dtype in arrays.items()))
    script.run("gradient" if gradient else "value", request)
    if shared:
        script.say("# what is written to a result is written to nothing else")
        script.say(*(f"{script.array(name, problem.dtype)}[...] = 7" for name in ("value", "gradient")[: 1 + gradient]))
    for name, dtype in arrays.items():
        same = f"{name}_before.tobytes() == {script.array(name, dtype)}.tobytes()"
        script.say(f'print("{name} unmodified:", {same})')


def _policy(script: Script, problem: Problem, outcome: Outcome) -> None:
    """The result in which the policy's value shows, above the value that is declared."""
    seen = outcome.observed if isinstance(outcome.observed, list) else [outcome.observed]
    policy = POLICIES.get(outcome.policy)
    of_gradient = (
        policy is not None and policy.result == "gradient" and (outcome.reduction or "none") in problem.upstream
    )
    said = " or ".join(map(str, seen)) or "nothing that the policy knows"
    label = policy_label(outcome.policy, outcome.aspect)
    _call(script, problem, outcome, gradient=of_gradient, comment=f"{label}: observed {said}")
    declared = blanked(f"declared: {outcome.expected or 'nothing'}")[:200]
    shown = script.shown("gradient" if of_gradient else "value")
    script.say(f'print("observed:", {shown})', f"print({declared!r})")


# -- sums and identities ----------------------------------------------------------------------------------------------


def _sum(script: Script, problem: Problem, outcome: Outcome) -> None:
    name = "value" if outcome.check == "probability-sum" else "gradient"
    _call(script, problem, outcome, gradient=name == "gradient")
    axis = _resolved(problem).class_axis or 0
    place = [str(each) for each in _position(problem, outcome.position or 0)]
    index = ", ".join([*place[:axis], ":", *place[axis:]])
    script.say("", f'print("observed:", sum({script.number("each")} for each in {name}[{index}]))')
    script.say(f'print("exact:    {1 if name == "value" else 0}")')


def _identity(script: Script, problem: Problem, outcome: Outcome) -> None:
    """The call, the transformed call, and the results that must agree."""
    problem, reduction = _resolved(problem), outcome.reduction or "none"
    calls = transformed_calls(problem)
    derived = next((each for each in calls if (each.name, each.reduction) == (outcome.check, reduction)), None)
    if derived is None:
        raise UsageError(f"{problem.case.id} has no identity {outcome.check!r}", hint="name another --check")
    _call(script, problem, outcome)
    script.say("expected = value", "")
    _call(script, derived.problem, outcome)
    script.say("")
    here, there = (
        _elements(of, reduction, flat) for of, flat in ((problem, derived.source), (derived.problem, derived.take))
    )
    if here is None or there is None:
        here = there = [()]
        value, expected = script.number("value"), script.number("expected")
        script.say(f'print("observed:", {value}, "instead of", {expected})')
    else:
        script.say(f"for here, there in {list(zip(here, there, strict=True))[:MOST_PAIRS]}:")
        value, expected = script.number("value[there]"), script.number("expected[here]")
        script.say(f'    print("observed:", {value}, "instead of", {expected})')
    if outcome.check == "composed" and len(there) == 1 and (exact := _derived(problem, outcome, "value", there[0])):
        script.say("", f"observed = {script.number(f'value{_index(there[0])}')}")
        _compare(script, problem, exact, outcome.observed)


# -- places -----------------------------------------------------------------------------------------------------------


def _resolved(problem: Problem) -> Problem:
    """The problem with what the caller left open filled in by the normative choices."""
    return resolve(problem, NORMATIVE, stated_error=False).problem


def _position(problem: Problem, number: int) -> Place:
    problem = _resolved(problem)
    axis, shape = problem.class_axis or 0, problem.logits.shape
    positions = shape[:axis] + shape[axis + 1 :]
    return tuple(int(each) for each in np.unravel_index(number, positions)) if positions else ()


def _element(problem: Problem, number: int, klass: int) -> Place:
    axis, place = _resolved(problem).class_axis or 0, _position(problem, number)
    return (*place[:axis], klass, *place[axis:])


def _place(problem: Problem, outcome: Outcome, quantity: Quantity) -> Place:
    """The index of the element at fault; empty for a scalar, or where it is not known."""
    found, number = outcome.worst_input, outcome.position
    if not isinstance(found, dict) or number is None or _resolved(problem).class_axis is None:
        return ()
    if quantity in OF_LOGITS or not problem.takes_targets:
        return _element(problem, number, int(found.get("class", 0)))
    if outcome.reduction == "none":
        return _position(problem, number)
    return _position(problem, number)[:1] if outcome.check == "vectorised-map" else ()  # a value for each example


def _elements(problem: Problem, reduction: str, flat: Any) -> list[Place] | None:
    """Indices into the result of flat places in row order; None where the result is a scalar."""
    if not problem.takes_targets:
        classes = problem.logits.shape[problem.class_axis or 0]
        return [_element(problem, *divmod(int(each), classes)) for each in flat]
    places = [_position(problem, int(each)) for each in flat]
    return places if reduction == "none" and all(places) else None


def _index(place: Place) -> str:
    return f"[{', '.join(map(str, place))}]" if place else ""


def _is_number(value: Any) -> bool:
    """Whether a recorded value is a number, as JSON holds it."""
    return isinstance(value, float | int) or value in ("inf", "-inf", "nan")


# -- fewer inputs -----------------------------------------------------------------------------------------------------


def _shrunk(problem: Problem, outcome: Outcome) -> tuple[Problem, Outcome]:
    """A registered defect at the position at fault alone, where every position has a result of its own.

    Only registered defects are shrunk: of those it is known, and tested, that they show in a position by itself. What
    is new may lie in how positions are distinguished, and keeps all of them.
    """
    positions, number, targets = problem.logits.shape[:-1], outcome.position, problem.targets
    plain = outcome.verdict == "known" and outcome.check in ("value", "gradient") and outcome.reduction == "none"
    last = problem.axis is not None and problem.class_axis == len(positions) > 0
    if not plain or not last or number is None or problem.layout != "contiguous" or problem.logits.size > MOST_NUMBERS:
        return problem, outcome
    place = tuple(slice(int(i), int(i) + 1) for i in np.unravel_index(number, positions))
    upstream = problem.upstream.get("none")
    if problem.takes_targets:
        shape = positions if problem.target_kind == "indices" else problem.logits.shape
        if not isinstance(targets, np.ndarray) or targets.shape != shape:
            return problem, outcome
        targets = targets[place]
    if upstream is not None and upstream.shape != (positions if problem.takes_targets else problem.logits.shape):
        return problem, outcome
    smaller = replace(
        problem,
        logits=problem.logits[place],
        targets=targets,
        where=None if problem.where is None else problem.where[place],
        upstream={} if upstream is None else {"none": upstream[place]},
        reductions=("none",),
    )
    return smaller, msgspec.structs.replace(outcome, position=0)


_FORMS: dict[str, Callable[[Script, Problem, Outcome], None]] = {
    "value": _numbers,
    "gradient": _numbers,
    "error": _must_raise,
    "warning": _warning,
    "repeatable": _repeatable,
    "unmodified": _unmodified,
    "probability-sum": _sum,
    "gradient-sum": _sum,
    "policy": _policy,
    **dict.fromkeys(_NEEDS, _transform),
}

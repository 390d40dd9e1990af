"""What one case must satisfy beyond its types: each complaint names the key and the hint.

Shapes against each other are checked where tensors are made, in ``expand``; here only what the text itself shows.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import Any

from conformance.cases.complaints import Complaint, suggestion
from conformance.cases.literals import MOST_RANK, LiteralProblem, has_64_bits, leaves, shape_of
from conformance.cases.yaml12 import NodePath
from conformance.model.case import (
    GENERATOR_KEYS,
    INPUTS,
    NO_REDUCTIONS,
    Case,
    Drawing,
    Generator,
    TargetKind,
    generator_keys,
)
from conformance.model.layouts import LAYOUTS, OPERANDS, problem_of
from conformance.model.policies import POLICIES
from conformance.worker.wire import spread_extent

__all__ = [
    "FEATURES",
    "MAIN",
    "MOST_ELEMENTS",
    "MOST_EXPECTED",
    "MOST_OF_FILE",
    "NORMALISERS",
    "SMOOTHED",
    "complaints_about",
    "elements_of",
    "is_large",
    "target_kind",
]

#: Numbers in all tensors of one case.
MOST_ELEMENTS = 2**31
#: Numbers in the tensors of one case, or of all cases of a file, that are made without a stated budget of memory.
MOST_UNSTATED = 2**22
MOST_OF_FILE = 2**26
#: Numbers in the tensors of a case whose expected values are computed when it is linted or filled.
MOST_EXPECTED = 2**20
#: Operations that take neither targets nor a reduction.
NORMALISERS = ("softmax", "log_softmax")
#: Losses that take class probabilities as targets, and label smoothing.
SMOOTHED = ("cross_entropy", "log_loss")
#: The keys of an operation's input, and those of them that hold scores, which may be of any size.
SCORES = ("logits", "log_probabilities")
MAIN = (*SCORES, "probabilities")
_DECIMAL = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,6})?")
_SPECIAL = re.compile(r"(?:[-+]?\.?inf|\.?nan)", re.IGNORECASE)
#: What targets may be of: labels, or class probabilities.
TARGET_DTYPES = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "bfloat16", "float32", "float64"),
)
#: What a case may require, and a profile declare as native, composed or unsupported.
FEATURES = ("weight", "ignore-index", "label-smoothing", "probability-targets", "reductions", "gradient")
_LOSS_KEYS = ("targets", "targets_as", "target_dtype", "weight", "ignore_index")


def elements_of(case: Case) -> int:
    """At most so many numbers are in the tensors of the case; a shape that is left out counts as that of the logits."""
    main = _extents(case.input) or ()
    logits = math.prod(max(extent, 1) for extent in main)
    others = (case.targets, case.where, case.weight, case.upstream, case.tangent)
    stated = [_extents(each) for each in others if each is not None]
    # Without a class, the positions may still be many.
    return logits + sum(logits if each is None else math.prod(max(extent, 1) for extent in each) for each in stated)


def _extents(value: Any) -> tuple[int, ...] | None:
    """The shape that is stated; None for a generator without one, nothing for what is not a tensor."""
    if isinstance(value, Generator):
        return None if value.shape is None else tuple(value.shape)
    try:
        return shape_of(value)
    except LiteralProblem:
        return ()


def is_large(case: Case) -> bool:
    """Whether the case states a budget of memory, as one must that is too large to be made in passing."""
    return case.budget.memory > 0 and elements_of(case) > MOST_UNSTATED


def target_kind(case: Case, logits_shape: tuple[int, ...]) -> TargetKind | None:
    """What the case's targets are, where it does not say so itself.

    Literal integers are indices, but for those of the logits' shape; other numbers are probabilities; of the
    generators only ``labels`` makes indices.
    """
    given = case.targets
    if given is None or case.targets_as is not None:
        return case.targets_as
    if isinstance(given, Generator):
        return "indices" if given.distribution == "labels" else "probabilities"
    integers = all(type(value) is int for value in leaves(given))
    return "indices" if integers and (shape_of(given) != logits_shape or not logits_shape) else "probabilities"


def complaints_about(case: Case) -> Iterator[Complaint]:
    """Everything wrong with a well-typed case that its own text shows."""
    yield from _operands(case)
    wrong = list(_numbers(case))
    yield from wrong or _sizes(case)
    yield from _options(case)
    yield from _choices(case)
    yield from _layouts(case)
    yield from _transforms(case)
    yield from _spacing(case)
    yield from _expectations(case)


def _operands(case: Case) -> Iterator[Complaint]:
    given = [name for name in MAIN if getattr(case, name) is not None]
    own = INPUTS.get(case.op, "logits")
    if case.op == "nll_loss":
        if len(given) != 1:
            problem = "neither log_probabilities nor logits" if not given else "both log_probabilities and logits"
            yield Complaint(
                tuple(given[1:]), problem, "nll_loss takes exactly one of them: write `log_probabilities: ...`"
            )
    elif wrong := [name for name in given if name != own]:
        yield Complaint((wrong[0],), f"{case.op} takes {own}", f"rename the key to `{own}`")
    elif not given:
        yield Complaint((), f"key '{own}' is missing", f"write `{own}: [[...]]`, or a generator with a shape")
    if case.op in NORMALISERS:
        for name in _LOSS_KEYS:
            if getattr(case, name) is not None:
                yield Complaint((name,), f"{case.op} takes no {name}", "remove the key, or change `op`")
    elif case.targets is None:
        yield Complaint((), "key 'targets' is missing", f"{case.op} needs them: write `targets: [...]`")
    if case.where is not None and case.op not in (*NORMALISERS, "cross_entropy"):
        yield Complaint(("where",), f"{case.op} takes no mask of classes", "remove the key, or change `op`")
    if case.where is not None and case.label_smoothing:
        yield Complaint(
            ("where",), "next to label smoothing, which gives masked classes a share", "remove one of the two"
        )
    if case.label_smoothing is not None and case.op not in SMOOTHED:
        yield Complaint(("label_smoothing",), f"{case.op} takes no label_smoothing", "remove the key, or change `op`")


def _numbers(case: Case) -> Iterator[Complaint]:
    for name in (*MAIN, "targets", "where", "weight", "upstream", "tangent"):
        value = getattr(case, name)
        if value is None:
            continue
        if isinstance(value, Generator):
            yield from _generator(case, name, value)
            continue
        try:
            shape_of(value)
        except LiteralProblem as error:
            # Text, truth values and ragged lists may be the very point of a target that is not a tensor.
            if name == "targets" and case.targets_as == "python":
                if not has_64_bits(value):
                    hint = "write it as a float, such as 1e20: a backend receives integers of 64 bits"
                    yield Complaint((name,), "an integer beyond 64 bits", hint)
            else:
                path, problem, hint = error.complaint
                where_hint = "write 1 where a class takes part, else 0"
                yield Complaint((name, *path), problem, where_hint if name == "where" else hint)


def _sizes(case: Case) -> Iterator[Complaint]:
    """Tensors that are too large to be made, or to be made without saying so; targets that nll_loss does not take."""
    elements = elements_of(case)
    main = next((name for name in MAIN if getattr(case, name) is not None), "logits")
    path: NodePath = (main, "shape") if isinstance(getattr(case, main), Generator) else (main,)
    refused = case.expect is not None and case.expect.error is not None
    if elements > MOST_ELEMENTS:
        yield Complaint(path, f"{elements} elements in all tensors", f"at most 2**31 = {MOST_ELEMENTS}")
    elif elements > MOST_UNSTATED and case.budget.memory < 8 * elements:
        hint = f"write `budget: {{memory: {8 * elements}}}` or more: the case is then run only where that is allowed"
        yield Complaint(path, f"{elements} elements in all tensors, and no budget of that size", hint)
    if elements > MOST_EXPECTED and case.expected:
        problem = f"expected values of a case of {elements} elements"
        yield Complaint(("expected",), problem, f"remove them: only up to {MOST_EXPECTED} are computed in passing")
    by_index = case.op in ("nll_loss", "nll_loss_of_log_softmax") and not refused
    if by_index and target_kind(case, _extents(case.input) or ()) == "probabilities":
        hint = "write integers, or `op: cross_entropy`; if refusing it is the point, `expect: {error: ...}`"
        yield Complaint(("targets",), f"class probabilities, which {case.op} does not take", hint)


def _generator(case: Case, name: str, given: Generator) -> Iterator[Complaint]:
    main = name in MAIN
    if given.shape is None and main:
        yield Complaint((name,), "key 'shape' is missing", f"write the shape of the {name}, such as `shape: [4, 10]`")
    if given.shape is not None and len(given.shape) > MOST_RANK:
        yield Complaint((name, "shape"), f"rank {len(given.shape)}", f"at most {MOST_RANK} extents")
    if given.distribution == "labels" and given.classes is None and name != "targets":
        yield Complaint((name,), "key 'classes' is missing", "labels are drawn from [0, classes): write `classes: 10`")
    if given.classes == 0:
        yield Complaint((name, "classes"), "no class to draw from", "write 1 or more")
    if given.masked is not None:
        yield from _masked(name, given)
    if given.apart is not None:
        yield from _apart(name, given, given.apart)
    if given.planted is not None:
        yield from _planted(name, given)
    drawing = given.drawing
    if not math.isfinite(drawing.scale):
        yield Complaint((name, "scale"), f"scale {drawing.scale} is not finite", "write a finite scale")
    elif math.isfinite(drawing.offset) and not math.isfinite(_widest(given.distribution, drawing)):
        problem = f"scale {drawing.scale} takes numbers beyond the range of float64"
        yield Complaint((name, "scale"), problem, "write a smaller one")
    for key in ("scale", "offset", "seed", "classes"):
        if getattr(given, key) is not None and key not in GENERATOR_KEYS[given.distribution]:
            yield _not_taken(name, given, key)
    if case.targets_as == "python" and name == "targets":
        yield Complaint((name,), "a generator makes arrays, not Python objects", "write the targets out")


def _not_taken(name: str, given: Generator, key: str) -> Complaint:
    hint = f"remove the key: {generator_keys(given.distribution)}"
    return Complaint((name, key), f"{given.distribution} takes no {key}", hint)


def _masked(name: str, given: Generator) -> Iterator[Complaint]:
    assert given.masked is not None
    first, beyond = given.masked
    if name not in SCORES or not given.shape:
        yield Complaint((name, "masked"), "only logits of rank 1 or more can be masked", "remove the key")
    elif not first < beyond <= given.shape[-1]:
        problem = f"[{first}, {beyond}] masks no element of {given.shape[-1]}"
        yield Complaint((name, "masked"), problem, "write [first, beyond] with first < beyond <= the last extent")


def _apart(name: str, given: Generator, apart: float) -> Iterator[Complaint]:
    if name not in SCORES or not given.shape:
        yield Complaint((name, "apart"), "only the positions of logits can lie apart", "remove the key")
    elif not math.isfinite(apart):
        yield Complaint((name, "apart"), f"{apart} is not finite", "write a finite number")


def _planted(name: str, given: Generator) -> Iterator[Complaint]:
    if given.shape is None:
        yield Complaint((name, "planted"), "places in a shape that is not stated", "add `shape: [...]`")
        return
    size = math.prod(given.shape)
    for index, (place, number) in enumerate(given.planted or ()):
        path: NodePath = (name, "planted", index)
        if place >= size:
            yield Complaint(path, f"place {place} of {size} elements", f"write a place below {size}, counted from 0")
        elif name == "targets" and given.distribution == "labels" and not number.is_integer():
            yield Complaint(path, f"{number} among labels", "write an integer, or another distribution")


def _widest(distribution: str, drawing: Drawing) -> float:
    """The largest magnitude that a finite scale and offset may give; a normal number is within six deviations."""
    return (6.0 if distribution == "normal" else 1.0) * abs(drawing.scale) + abs(drawing.offset)


def _options(case: Case) -> Iterator[Complaint]:
    error_expected = case.expect is not None and case.expect.error is not None
    if not 0 <= (case.label_smoothing or 0.0) <= 1 and not error_expected:
        hint = "write a number from 0 to 1, or `expect: {error: ...}` if refusing it is the point"
        yield Complaint(("label_smoothing",), f"{case.label_smoothing} is not within [0, 1]", hint)
    if not error_expected:
        refused = "write `expect: {error: ...}`: refusing it is the point"
        if case.logits_dtype is not None:
            yield Complaint(("logits_dtype",), f"logits of {case.logits_dtype}", refused)
        for index, name in enumerate(case.reductions):
            if name in NO_REDUCTIONS:
                yield Complaint(("reductions", index), f"no reduction is called {name}", refused)
    yield from _no_reductions(case)
    if case.ignore_index is not None and not -(2**63) <= case.ignore_index < 2**63:
        yield Complaint(("ignore_index",), "beyond 64 bits", "write an integer that an int64 holds")
    if isinstance(case.axis, int) and abs(case.axis) >= 2**31:
        yield Complaint(("axis",), "beyond 32 bits", "write a small integer: the position of the class axis")
    if case.target_dtype is not None and case.target_dtype not in TARGET_DTYPES:
        hint = f"{suggestion(case.target_dtype, TARGET_DTYPES)}one of {', '.join(TARGET_DTYPES)}"
        yield Complaint(("target_dtype",), f"unknown dtype '{case.target_dtype}'", hint)
    if case.target_dtype is not None and case.targets_as == "python":
        yield Complaint(("target_dtype",), "Python objects have no dtype", "remove the key, or `targets_as`")


def _no_reductions(case: Case) -> Iterator[Complaint]:
    """Words that are not reductions: of losses, and apart from those that are, which have a result."""
    wrong = [name for name in case.reductions if name in NO_REDUCTIONS]
    if wrong and case.op in NORMALISERS:
        yield Complaint(("reductions",), f"{case.op} takes no reduction", "remove the key, or change `op`")
    elif wrong and len(wrong) < len(case.reductions):
        hint = f"give {', '.join(wrong)} a case of {'its' if len(wrong) == 1 else 'their'} own"
        yield Complaint(("reductions",), f"{', '.join(wrong)} beside reductions that have a result", hint)


#: What a case must say to observe a policy at all.
_NEEDED: dict[str, tuple[str, Callable[[Case], bool]]] = {
    "integer-logits": ("logits_dtype", lambda case: case.logits_dtype is not None),
    "mixed-dtype-result": ("target_dtype", lambda case: case.target_dtype is not None),
    "masked-target": ("where", lambda case: case.where is not None),
    "target-differentiation": ("transforms: [target-gradient]", lambda case: "target-gradient" in case.transforms),
}


def _choices(case: Case) -> Iterator[Complaint]:
    for index, feature in enumerate(case.requires):
        if feature not in FEATURES:
            hint = f"{suggestion(feature, FEATURES)}one of {', '.join(FEATURES)}"
            yield Complaint(("requires", index), f"unknown feature '{feature}'", hint)
    for index, policy in enumerate(case.policies):
        path: NodePath = ("policy",) if isinstance(case.policy, str) else ("policy", index)
        if policy not in POLICIES:
            hint = f"{suggestion(policy, POLICIES)}`conformance list policies` shows them"
            yield Complaint(path, f"there is no policy '{policy}'", hint)
        elif policy in _NEEDED and not _NEEDED[policy][1](case):
            needed = _NEEDED[policy][0]
            yield Complaint(path, f"'{policy}' in a case without `{needed}`", "add that, or remove the policy")
    for name in ("reductions", "dtypes", "layouts", "flags", "requires", "transforms", "policy"):
        values = case.policies if name == "policy" else getattr(case, name)
        if not values and name in ("reductions", "dtypes", "layouts"):
            yield Complaint((name,), "an empty list", "name at least one, or remove the key for the default")
        seen: set[str] = set()
        for index, value in enumerate(values):
            if value in seen:
                yield Complaint((name, index), f"'{value}' twice", "keep one of the two")
            seen.add(value)


def _layouts(case: Case) -> Iterator[Complaint]:
    for index, layout in enumerate(case.layouts):
        if (found := problem_of(layout)) is not None:
            unknown = next((word for word in re.split(r"[=+]", layout) if word not in (*LAYOUTS, *OPERANDS)), "")
            yield Complaint(("layouts", index), found[0], f"{suggestion(unknown, (*LAYOUTS, *OPERANDS))}{found[1]}")
        elif "byte-swapped" in layout and "bfloat16" in case.dtypes:
            yield Complaint(("layouts", index), "byte-swapped bfloat16", "write `dtypes` without bfloat16")


def _spacing(case: Case) -> Iterator[Complaint]:
    """What cannot be asked of a call in which only some positions are the case's, and a budget that is too small."""
    if case.spacing is None:
        return
    extents = _extents(case.input) or ()
    if len(extents) < 2 or extents[0] < 2 or case.axis in ("default", 0, -len(extents)):
        hint = "give the logits a rank of 2 or more, two positions along axis 0, and state another class axis"
        yield Complaint(("spacing",), "there are no positions along axis 0 between which others could lie", hint)
        return
    if case.op not in NORMALISERS and case.reductions != ("none",):
        yield Complaint(("spacing",), "next to a reduction, over positions that are not judged", "`reductions: [none]`")
    for name, usual in (("transforms", ()), ("layouts", ("contiguous",)), ("expect", None)):
        if getattr(case, name) != usual:
            yield Complaint(("spacing",), f"next to {name}", "remove one of the two")
    if case.targets_as == "python":
        yield Complaint(("spacing",), "next to targets that are not an array", "remove one of the two")
    size = spread_extent(extents[0], case.spacing) * math.prod(extents[1:])
    least = size * (8 if "float64" in case.dtypes else 4 if "float32" in case.dtypes else 2)
    if case.budget.memory < least:
        hint = f"write `budget: {{memory: {least}}}` or more: the case is then run only where that is allowed"
        yield Complaint(("spacing",), f"a call of {size} logits, and no budget of that size", hint)


def _transforms(case: Case) -> Iterator[Complaint]:
    if case.tangent is not None and not set(case.transforms) & {"forward-mode", "second-order"}:
        hint = "add `transforms: [forward-mode, second-order]`, or remove the key"
        yield Complaint(("tangent",), "a direction that nothing is differentiated in", hint)
    if not case.transforms:
        return
    if case.expect is not None and case.expect.error is not None:
        hint = "invalid input has no derivatives: remove the key"
        yield Complaint(("transforms",), "next to `expect: {error: ...}`", hint)
    if case.where is not None:
        yield Complaint(("transforms",), "next to a mask of classes", "remove one of the two")
    if case.axis == "default":
        yield Complaint(("transforms",), "the class axis is left to the framework", "state `axis`, or remove the key")
    if "target-gradient" in case.transforms and (
        case.op not in SMOOTHED or case.targets_as not in (None, "probabilities")
    ):
        hint = "class probabilities alone have a gradient: remove `target-gradient`"
        yield Complaint(("transforms",), "no class probabilities to differentiate by", hint)
    if "concurrent" in case.transforms and len(case.transforms) > 2:
        yield Complaint(("transforms",), "two threads with several transforms", "name one beside `concurrent`")
    if "vectorised-map" in case.transforms and case.op not in NORMALISERS and case.reductions == ("default",):
        yield Complaint(("transforms",), "a map in a reduction that is the framework's", "state `reductions`")
    if "second-order" in case.transforms and case.op == "nll_loss":
        yield Complaint(("transforms",), "nll_loss is linear: it has no second derivative", "remove `second-order`")


def _expectations(case: Case) -> Iterator[Complaint]:
    if case.expect is not None and case.expect.error is None and case.expect.warning is None:
        yield Complaint(("expect",), "expects nothing", "write `error: ...` or `warning: ...`, or remove the key")
    if case.expected is None:
        return
    if case.expect is not None and case.expect.error is not None:
        yield Complaint(
            ("expected",), "a value next to `expect: {error: ...}`", "invalid input returns nothing: remove one"
        )
    known = ("value", "gradient") if case.op in NORMALISERS else (*case.reductions, "gradient")
    for key, value in case.expected.items():
        if key not in known:
            hint = f"{suggestion(key, known)}one of {', '.join(known)}"
            yield Complaint(("expected", key), f"unknown key '{key}'", hint)
        for text in leaves(value):
            if not isinstance(text, str) or not _is_number_text(text):
                hint = "write decimal text such as 0.76794954890362488, .inf, -.inf or .nan"
                yield Complaint(("expected", key), f"'{str(text)[:40]}' is not a number", hint)
                break


def _is_number_text(text: str) -> bool:
    """Whether decimal text, or the name of an infinity or NaN, stands here."""
    return bool(_DECIMAL.fullmatch(text) or _SPECIAL.fullmatch(text))

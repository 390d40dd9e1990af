"""Each derivative of each operation in every shape and memory, next to nearly the same call, and in two threads.

A forward mode, a second order, a map or a second backward pass is code of its own, with an axis, strides and caches of
its own. Every operation occurs here under all its transforms: on ranks up to eight and extents that are equal, with
upstream gradients of some structure, with each operand in each kind of memory, next to the same call but for one
operand, which shows what is kept by less than all of its input, and in two threads at once.
"""

from __future__ import annotations

import math
from typing import Any

from conformance.corpus import sizes
from conformance.corpus.features import Shape

__all__ = ["derived_cases"]

_SEED = 200_000
_ALL = ("forward-mode", "second-order", "vectorised-map", "second-backward")
#: The forms, and their transforms; the second derivative of nll_loss is 0.
FORMS = {
    "labels": _ALL,
    "soft": (*_ALL, "target-gradient"),
    "nll": ("forward-mode", "vectorised-map", "second-backward"),
    "composed": _ALL,
    "softmax": _ALL,
    "log-softmax": _ALL,
}
_WEIGHTED = ("labels", "soft", "nll", "composed")
_SHAPES = (
    "rank-3.axis-minus-1",
    "rank-4.axis-3",
    "rank-4.axis-2",
    "rank-5.axis-2",
    "rank-6.axis-minus-1",
    "rank-7",
    "rank-8",
    "pixels",
)
_UPSTREAMS = ("ones", "constant", "one-hot", "zero-ended", "alike-at-first")
#: Of each operand by itself: a gap behind each row, one behind each block of rows, another order, a step, a place.
_MEMORY = ("padded", "cut", "transposed", "sliced", "offset")
_SHOWS = {
    "shape": "each derivative has an axis of its own",
    "upstream": "each derivative has a use of its own for the upstream gradient",
    "memory": "each derivative reads each operand by strides of its own",
    "same": "what is kept of one is not the other's",
    "threads": "each derivative has a workspace of its own",
}


def derived_cases() -> list[dict[str, Any]]:
    """The cases, as the mappings that a case file holds."""
    cases = []
    for number, form in enumerate(FORMS):
        seed = _SEED + 1000 * number
        cases += [_case(form, shape, seed + 10 * place) for place, shape in enumerate(_SHAPES)]
        cases += [_with_upstream(form, level, seed + 500 + 10 * place) for place, level in enumerate(_UPSTREAMS)]
        cases += [_in_memory(form, seed + 700), *_nearly_the_same(form, seed + 800), *_in_threads(form, seed + 900)]
    return cases


def _case(form: str, shape: str, seed: int, kind: str = "shape", **levels: str) -> dict[str, Any]:
    """A case under all transforms of its form; ``kind`` is what it may show."""
    row = sizes.FIRST | {"form": form, "shape": shape} | levels
    case = sizes.case_of(row, seed, shows=_SHOWS[kind])
    return case | {"id": f"derived.{form}.{shape}", "transforms": list(FORMS[form])}


def _extents(form: str, shape: Shape) -> list[int]:
    """Those of the upstream gradient."""
    return [*(shape.extents if form.endswith("softmax") else shape.positions)]


def _with_upstream(form: str, level: str, seed: int) -> dict[str, Any]:
    if level != "alike-at-first":
        return _case(form, "few", seed, "upstream", upstream=level) | {"id": f"derived.{form}.upstream-{level}"}
    extents = _extents(form, sizes.SHAPES["few"])
    row = math.prod(extents[1:])
    alike = [[place, 0.5 * (place % row + 1)] for place in range(2 * row)]
    upstream = {"distribution": "uniform", "shape": extents, "seed": seed + 3, "planted": alike}
    return _case(form, "few", seed, "upstream") | {"id": f"derived.{form}.upstream-{level}", "upstream": upstream}


def _in_memory(form: str, seed: int) -> dict[str, Any]:
    """Every operand by itself in every kind of memory, and all of them together."""
    case = _case(form, "rank-3.axis-minus-1", seed, "memory", weights="weighted" if form in _WEIGHTED else "unweighted")
    operands = ["logits", *(name for name in ("targets", "weight") if name in case), "upstream", "tangent"]
    of_rank_1 = ("sliced", "offset")
    alone = [
        f"{operand}={layout}" for operand in operands for layout in (of_rank_1 if operand == "weight" else _MEMORY)
    ]
    return case | {"id": f"derived.{form}.in-memory", "flags": ["strides"], "layouts": [*alone, "padded", "cut"]}


def _nearly_the_same(form: str, seed: int) -> list[dict[str, Any]]:
    """A call, and for each of its operands one that differs in a number of it alone."""
    shape = sizes.SHAPES["few"]
    extents, logits = _extents(form, shape), [*shape.extents]
    upstream = {"distribution": "uniform", "shape": extents, "seed": seed + 5}
    tangent = {"distribution": "uniform", "shape": logits, "seed": seed + 6}
    weights = "weighted" if form in _WEIGHTED else "unweighted"
    base = _case(form, "few", seed, "same", weights=weights) | {"upstream": upstream, "tangent": tangent}
    main = "log_probabilities" if form == "nll" else "logits"
    other: dict[str, dict[str, Any]] = {
        "logits": {main: base[main] | {"planted": [[13, -1.5]]}},
        "upstream": {"upstream": upstream | {"planted": [[math.prod(extents) - 2, 2.5]]}},
        "tangent": {"tangent": tangent | {"planted": [[13, 2.5]]}},
    }
    if form in _WEIGHTED:
        other["weight"] = {"weight": base["weight"] | {"planted": [[3, 2.75]]}}
        other["targets"] = {"targets": base["targets"] | {"seed": seed + 7}}
    if form in ("labels", "soft"):
        other["smoothing"] = {"label_smoothing": 0.25}
    if form in ("labels", "nll", "composed"):
        other["ignored"] = {"ignore_index": 3}
    named = [("as-it-is", base), *((f"same-but-for-{name}", base | each) for name, each in other.items())]
    return [case | {"id": f"derived.{form}.{name}"} for name, case in named]


def _in_threads(form: str, seed: int) -> list[dict[str, Any]]:
    """Each transform by itself, as two threads make one call each."""
    weights = "weighted" if form in _WEIGHTED else "unweighted"
    cases = []
    for shape in ("few", "wide"):
        for name in FORMS[form]:
            if (shape, name) == ("wide", "vectorised-map"):  # which TensorFlow traces anew in every call
                continue
            case = _case(form, shape, seed, "threads", weights=weights)
            cases.append(case | {"id": f"derived.{form}.{shape}.{name}.concurrent", "transforms": [name, "concurrent"]})
            seed += 4
    return cases

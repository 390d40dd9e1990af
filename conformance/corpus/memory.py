"""Every pair of layouts that two operands of one call may have: for labels, class probabilities, and normalisers.

Of the rows of a call on operands of fixed shapes, those with the same layout of the logits are one case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conformance.corpus.covering import covering_array
from conformance.model.layouts import LAYOUTS, OPERANDS

__all__ = ["CALLS", "MemoryCall", "layouts_of_rank", "memory_cases"]

SEED = 21
#: What PyTorch takes, too, and what asks nothing of the numbers.
_OF_ANY = (
    "contiguous",
    "sliced",
    "misaligned",
    "alternate-rows",
    "offset",
    "read-only",
    "transposed",
    "padded",
    "cut",
    "shifted",
    "aligned-rows",
    "time-major",
    "channels-last",
)
#: How many of these, from the first on, differ for an operand of a rank; axes 0 and 1 of rank 2 are all its axes.
_OF_RANK = {1: 6, 2: 11, 3: 13, 4: 13}
#: What fewer frameworks take: each operand by itself, and all together.
_RARE = ("reversed", "byte-swapped")


@dataclass(frozen=True)
class MemoryCall:
    """A call by its keys in a case file, and the rank of each operand."""

    words: str
    keys: dict[str, Any]
    ranks: dict[str, int]


_WEIGHT = [0.5, 1.25, 2.0, 0.75, 3.0]
CALLS = {
    "labels": MemoryCall(
        "labels of sequences",
        {
            "op": "cross_entropy",
            "logits": {"distribution": "uniform", "shape": [3, 4, 5], "scale": 4},
            "targets": {"distribution": "labels"},
            "axis": -1,
            "weight": _WEIGHT,
            "reductions": ["none"],
        },
        {"logits": 3, "targets": 2, "weight": 1, "upstream": 2},
    ),
    "images": MemoryCall(
        "labels of images",
        {
            "op": "cross_entropy",
            "logits": {"distribution": "uniform", "shape": [2, 3, 4, 2], "scale": 4},
            "targets": {"distribution": "labels"},
            "reductions": ["none"],
        },
        {"logits": 4, "targets": 3, "upstream": 3},
    ),
    "probabilities": MemoryCall(
        "class probabilities of sequences",
        {
            "op": "cross_entropy",
            "logits": {"distribution": "uniform", "shape": [3, 5, 4], "scale": 4},
            "targets": {"distribution": "simplex"},
            "weight": _WEIGHT,
            "reductions": ["none"],
        },
        {"logits": 3, "targets": 3, "weight": 1, "upstream": 2},
    ),
    "nll": MemoryCall(
        "log-probabilities and their labels",
        {
            "op": "nll_loss",
            "log_probabilities": {"distribution": "uniform", "shape": [4, 5], "scale": 2, "offset": -2.5},
            "targets": {"distribution": "labels"},
            "weight": _WEIGHT,
            "reductions": ["none"],
        },
        {"logits": 2, "targets": 1, "weight": 1, "upstream": 1},
    ),
    "softmax": MemoryCall(
        "softmax and its upstream gradient",
        {"op": "softmax", "logits": {"distribution": "uniform", "shape": [3, 4, 5], "scale": 4}, "axis": -1},
        {"logits": 3, "upstream": 3},
    ),
    "log-softmax": MemoryCall(
        "log_softmax, its upstream gradient and a direction",
        {
            "op": "log_softmax",
            "logits": {"distribution": "uniform", "shape": [3, 4], "scale": 4},
            "axis": -1,
            "transforms": ["forward-mode", "second-order"],
        },
        {"logits": 2, "upstream": 2, "tangent": 2},
    ),
}


def layouts_of_rank(rank: int) -> tuple[str, ...]:
    """The layouts that are combined, of an operand of that rank."""
    return _OF_ANY[: _OF_RANK[rank]]


def memory_cases() -> list[dict[str, Any]]:
    """The cases, as the mappings that a case file holds."""
    cases = []
    for number, (name, call) in enumerate(CALLS.items()):
        by_logits: dict[str, list[str]] = {}
        factors = {operand: layouts_of_rank(rank) for operand, rank in call.ranks.items()}
        for row in covering_array(factors, 2, SEED, lambda row: True):
            by_logits.setdefault(row["logits"], []).append(_text(row))
        rare = [_text(row) for layout in _RARE for row in _one_or_all(call, layout)]
        groups = {logits: layouts for logits in LAYOUTS if (layouts := by_logits.get(logits))} | {"rare": rare}
        for place, (group, layouts) in enumerate(groups.items()):
            cases.append(_case(name, call, group, layouts, 30_000 + 100 * number + 4 * place))
    return cases


def _one_or_all(call: MemoryCall, layout: str) -> list[dict[str, str]]:
    alone = [{operand: layout} for operand in call.ranks]
    return [*alone, dict.fromkeys(call.ranks, layout)]


def _text(row: Mapping[str, str]) -> str:
    named = [f"{name}={row[name]}" for name in OPERANDS if row.get(name, "contiguous") != "contiguous"]
    return "+".join(named) or "contiguous"


def _case(name: str, call: MemoryCall, group: str, layouts: list[str], seed: int) -> dict[str, Any]:
    """One case, with seeds of its own for each tensor."""
    keys = dict(call.keys)
    for key in ("logits", "log_probabilities", "targets"):
        if key in keys:
            keys[key] = keys[key] | {"seed": seed}
            seed += 1
    apart = "memory that few frameworks have" if group == "rare" else f"{group} logits"
    words = f"{call.words}, {apart}: each operand may lie in memory in another way than the others"
    return {
        "id": f"memory.{name}.{group}",
        "why": words,
        "flags": ["strides"],
        **keys,
        "dtypes": ["float32"],
        "layouts": layouts,
    }

"""Each operation under each transform, with everything that it takes: what a rule of its own may have left out.

A forward mode or a second backward pass is code of its own for each operation, and may lack the weights, the smoothing,
the ignored labels, a half type, or what lies beyond the first block of classes. Every triple of an operation, a
transform and one level of another factor occurs here, in one dtype a case.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from conformance.corpus import sizes

__all__ = ["FACTORS", "allowed", "case_of"]

_TRANSFORMS = ("forward-mode", "second-order", "vectorised-map", "second-backward", "target-gradient")
#: As the factors of sizes, but for the operation with its transform, what a mean divides by, and the direction.
FACTORS: dict[str, tuple[str, ...]] = {
    "form transform": tuple(f"{form} {transform}" for form in sizes.FACTORS["form"] for transform in _TRANSFORMS),
    "shape": ("few", "even", "wide", "image"),
    "dtype": sizes.FACTORS["dtype"],
    "reduction weights ignored": sizes.DIVISORS,
    "smoothing": ("sharp", "tenth", "uniform"),
    "layout": (*sizes.LAYOUTS[:3], "tangent=transposed"),
    "logits": ("normal", "shifted"),
    "direction": ("random", "constant", "zero-ended"),
}
_HALF = ("bfloat16", "float16")
_DIRECTED = ("forward-mode", "second-order")


def allowed(row: Mapping[str, str]) -> bool:
    """Whether the levels go together."""
    form, transform = row["form transform"].split(" ") if "form transform" in row else (None, None)
    if row.get("direction") == "constant" and row.get("shape", "few") != "few" and form not in (None, "nll"):
        return False  # nothing comes of it, so that it hides what else is wrong
    if form == "softmax" and row.get("shape") == "wide" and row.get("dtype") in _HALF:  # its products are lost there
        return False
    directed = row.get("direction", "random") != "random" or row.get("layout", "").startswith("tangent")
    if directed and transform not in (None, *_DIRECTED):
        return False
    return sizes.allowed(sizes.unfolded(row))


def case_of(row: Mapping[str, str], seed: int) -> dict[str, Any]:
    """The case of a whole row, as the mapping that a case file holds; ``seed`` is that of its tensors."""
    shows = "the transform of this operation may leave one of them out"
    case = sizes.case_of({**sizes.FIRST, **sizes.unfolded(row)}, seed, shows=shows)
    levels = [case["id"].removeprefix("sized")]
    if row["direction"] != "random":
        extents = list((case.get("logits") or case["log_probabilities"])["shape"])
        ends = [[0, 0], [math.prod(extents) - 1, 0]]
        case["tangent"] = (
            {"distribution": "constant", "shape": extents, "offset": 0.5}
            if row["direction"] == "constant"
            else {"distribution": "normal", "shape": extents, "seed": seed + 4, "planted": ends}
        )
        levels.append(f".direction-{row['direction']}")
    case["id"] = "transformed" + "".join(levels)
    return case

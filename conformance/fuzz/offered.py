"""What a backend's profile says that it lacks: cases with it would be asked for nothing."""

from __future__ import annotations

from collections.abc import Mapping

from conformance.corpus.space import FACTORS
from conformance.model.dtypes import DTYPES
from conformance.model.policies import NORMATIVE
from conformance.profiles.profile import Profile

__all__ = ["weights_of"]

#: Feature of a profile to the factor whose levels need it, but for these.
_FEATURES: dict[str, tuple[str, tuple[str, ...]]] = {
    "weight": ("weight", ("none",)),
    "ignore_index": ("ignored", ("none",)),
    "label_smoothing": ("smoothing", ("none", "zero")),
    "probability_targets": ("targets", ("labels",)),
    "reductions": ("reductions", ("none",)),
}


def weights_of(profile: Profile) -> dict[str, dict[str, float]]:
    """Factors and levels to draw from, with their weights, without what the profile declares unsupported.

    Nor is a default left to a framework that declares another one than usual: beside a known defect, nothing could be
    said of the result.
    """
    found = {factor: dict(levels) for factor, levels in FACTORS.items()}
    lacked = [name for name, each in profile.operations.items() if each.support == "unsupported"]
    lacked += ["nll_loss_of_log_softmax"] if {"nll_loss", "log_softmax"} & {*lacked} else []
    lacked += ["log_loss"] if profile.operations and "log_loss" not in profile.operations else []
    found["op"] = _without(found["op"], lacked)
    for feature, (factor, kept) in _FEATURES.items():
        if profile.features.get(feature) == "unsupported":
            found[factor] = {level: weight for level, weight in found[factor].items() if level in kept}
    declared = profile.dtypes_of()
    taken = {dtype for op in found["op"] for dtype in declared.get(op, DTYPES)}  # type: ignore[call-overload]
    found["dtype"] = _without(found["dtype"], [dtype for dtype in DTYPES if dtype not in taken])
    policies = profile.resolved_policies()
    if policies.default_reduction != NORMATIVE.default_reduction:
        found["reductions"].pop("default", None)
    axes = policies.default_axis
    if {*(axes.values() if isinstance(axes, dict) else [axes])} - {1}:
        found["axis"].pop("default", None)
    return found


def _without(levels: Mapping[str, float], lacked: list[str]) -> dict[str, float]:
    """The levels that are not lacked; all of them where none would be left."""
    return {level: weight for level, weight in levels.items() if level not in lacked} or dict(levels)

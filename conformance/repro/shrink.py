"""A registered defect with fewer inputs: where every position has a result of its own, the position at fault alone.

Only registered defects are shrunk: of those it is known, and tested, that they show in a position by itself. What is
new may lie in how positions are told apart, and keeps all of them.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np

from conformance.model.problem import Problem
from conformance.repro.literals import MOST_NUMBERS
from conformance.repro.scene import Scene

__all__ = ["shrunk"]


def shrunk(scene: Scene) -> Scene:
    """The scene with the position at fault alone, where that is the same finding; else as it is."""
    outcome, problem, found = scene.outcome, scene.problem, scene.outcome.worst_input
    if outcome.verdict != "known" or outcome.check not in ("value", "gradient") or scene.reduction != "none":
        return scene
    shape = problem.logits.shape
    if problem.logits.size > MOST_NUMBERS:  # which is written as an expression, short as it is
        return scene
    last = problem.axis is not None and problem.class_axis == len(shape) - 1
    if not isinstance(found, dict) or problem.layout != "contiguous" or not last or len(shape) < 2:
        return scene
    smaller = None if outcome.position is None else _position(problem, outcome.position)
    if smaller is None:
        return scene
    return Scene(smaller, msgspec.structs.replace(outcome, position=0))


def _position(problem: Problem, number: int) -> Problem | None:
    """The problem of one position, in which each axis of positions has the extent 1; None where tensors do not fit."""
    positions = problem.logits.shape[:-1]
    place = tuple(slice(int(i), int(i) + 1) for i in np.unravel_index(number, positions))
    upstream = problem.upstream.get("none")
    targets = problem.targets
    of_position = positions if problem.target_kind == "indices" else problem.logits.shape
    if problem.takes_targets:
        if not isinstance(targets, np.ndarray) or targets.shape != of_position:
            return None
        targets = targets[place]
    wanted = positions if problem.takes_targets else problem.logits.shape
    if upstream is not None and upstream.shape != wanted:
        return None
    return replace(
        problem,
        logits=problem.logits[place],
        targets=targets,
        where=None if problem.where is None else problem.where[place],
        upstream={} if upstream is None else {"none": upstream[place]},
        reductions=("none",),
    )

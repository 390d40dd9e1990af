"""Derivatives with an axis, strides, a cache or a workspace of their own, which the plain call does not share."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from conformance.backends.contract import Call
from tests.yardstick.kernel import Kernel
from tests.yardstick.views import dense, unless_strided

#: Seconds for which a launch gives the other thread the interpreter.
LAUNCH = 2e-4
#: Logits of a call whose results are kept.
FEW = 4096


def _with(call: Call, name: str, read: Callable[[Any], Any]) -> Call:
    """The call with one operand as ``read`` reads it, where it has that operand."""
    given = call.operands.get(name)
    return replace(call, operands={**call.operands, name: read(given)}) if given is not None else call


def _swapped(result: Any) -> Any:
    """Written by the extents of the last two axes in the other order."""
    other = (*result.shape[:-2], result.shape[-1], result.shape[-2])
    return np.ascontiguousarray(result.reshape(other).swapaxes(-1, -2))


# -- memory -----------------------------------------------------------------------------------------------------------


class MapReadsPaddedLabels(Kernel):
    """A vectorised map takes labels whose last stride is 1 for contiguous."""

    def vmap(self, call: Call, logits: Any, upstream: Any) -> Any:
        return super().vmap(_with(call, "targets", unless_strided), logits, upstream)


class MapOfLossesReadsAPaddedUpstream(Kernel):
    """A map of losses takes an upstream gradient whose last stride is 1 for contiguous."""

    def vmap(self, call: Call, logits: Any, upstream: Any) -> Any:
        of_losses = "targets" in call.operands
        return super().vmap(call, logits, unless_strided(upstream) if of_losses else upstream)


class MapReadsAStridedWeight(Kernel):
    """A vectorised map reads the weight as contiguous."""

    def vmap(self, call: Call, logits: Any, upstream: Any) -> Any:
        return super().vmap(_with(call, "weight", dense), logits, upstream)


class SecondPassReadsAPaddedUpstream(Kernel):
    """A second backward pass takes an upstream gradient whose last stride is 1 for contiguous."""

    def second_vjp(self, call: Call, logits: Any, former: Any, upstream: Any) -> Any:
        return super().second_vjp(call, logits, former, unless_strided(upstream))


# -- axes -------------------------------------------------------------------------------------------------------------


class MapOfALateAxis(Kernel):
    """A map of softmax counts a class axis of 2 or more from 1."""

    def vmap(self, call: Call, logits: Any, upstream: Any) -> Any:
        options = dict(call.options)
        if call.operation in ("softmax", "log_softmax") and (options["axis"] or 0) >= 2:
            call = replace(call, options=tuple({**options, "axis": options["axis"] - 1}.items()))
        return super().vmap(call, logits, upstream)


class CurvatureBeyondSixAxes(Kernel):
    """Second order of more than six axes exchanges the last two."""

    def hvp(self, call: Call, logits: Any, upstream: Any, direction: Any) -> Any:
        found = super().hvp(call, logits, upstream, direction)
        return _swapped(found) if found.ndim > 6 else found


class DerivativeBeyondSixAxes(Kernel):
    """Forward mode of more than six axes exchanges the last two."""

    def jvp(self, call: Call, logits: Any, tangent: Any) -> Any:
        value, found = super().jvp(call, logits, tangent)
        return value, _swapped(found) if found.ndim > 6 else found


class SecondPassTransposesPixels(Kernel):
    """A second backward pass through the losses of images reads width before height."""

    def second_vjp(self, call: Call, logits: Any, former: Any, upstream: Any) -> Any:
        pixels = upstream.ndim == 3 and upstream.ndim < logits.ndim and upstream.shape[1] == upstream.shape[2]
        return super().second_vjp(call, logits, former, upstream.swapaxes(1, 2) if pixels else upstream)


# -- what is kept -----------------------------------------------------------------------------------------------------


class _Keeps(Kernel):
    """Base: what is kept, by what a call was given of it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.known: dict[Any, Any] = {}

    def kept(self, call: Call, arrays: tuple[Any, ...], without: str, result: Any) -> Any:
        """What was kept for the call and these arrays, whatever the operand or option ``without`` was."""
        operands = tuple((name, each.tobytes()) for name, each in call.operands.items() if name != without)
        options = tuple((name, each) for name, each in call.options if name != without)
        shapes = tuple((each.shape, each.dtype, each.tobytes()) for each in arrays)
        return self.known.setdefault((call.operation, operands, options, shapes), np.array(result)).copy()


class DerivativeKeptWithoutItsWeight(_Keeps):
    """Derivatives by forward mode are kept by all but the weight."""

    def jvp(self, call: Call, logits: Any, tangent: Any) -> Any:
        value, found = super().jvp(call, logits, tangent)
        return value, self.kept(call, (logits, tangent), "weight", found) if logits.size <= FEW else found


class DerivativeKeptWithoutItsIgnoredLabel(_Keeps):
    """Derivatives by forward mode are kept by all but the ignored label."""

    def jvp(self, call: Call, logits: Any, tangent: Any) -> Any:
        value, found = super().jvp(call, logits, tangent)
        return value, self.kept(call, (logits, tangent), "ignore_index", found) if logits.size <= FEW else found


class CurvatureKeptWithoutItsLogits(_Keeps):
    """Second derivatives are kept by all but the numbers of the logits."""

    def hvp(self, call: Call, logits: Any, upstream: Any, direction: Any) -> Any:
        found = super().hvp(call, logits, upstream, direction)
        return self.kept(call, (upstream, direction), "", found) if found.size <= FEW else found


class CurvatureKeptWithoutSmoothing(_Keeps):
    """Second derivatives are kept by all but the label smoothing."""

    def hvp(self, call: Call, logits: Any, upstream: Any, direction: Any) -> Any:
        found = super().hvp(call, logits, upstream, direction)
        arrays = (logits, upstream, direction)
        return self.kept(call, arrays, "label_smoothing", found) if found.size <= FEW else found


class MapKeptWithoutItsTargets(_Keeps):
    """The gradients of a map are kept by all but the targets."""

    def vmap(self, call: Call, logits: Any, upstream: Any) -> Any:
        value, found = super().vmap(call, logits, upstream)
        return value, self.kept(call, (logits, upstream), "targets", found) if found.size <= FEW else found


class TargetGradientKeptWithoutItsWeight(_Keeps):
    """Gradients by class probabilities are kept by all but the weight."""

    def target_gradient(self, call: Call, logits: Any, upstream: Any) -> Any:
        found = super().target_gradient(call, logits, upstream)
        return self.kept(call, (logits, upstream), "weight", found) if found.size <= FEW else found


# -- threads ----------------------------------------------------------------------------------------------------------


class _Shared(Kernel):
    """Base: results of a shape lie in the module's workspace for the time of a launch."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.workspace: dict[Any, Any] = {}

    def through(self, result: Any) -> Any:
        self.workspace[result.shape] = result
        time.sleep(LAUNCH)
        return self.workspace[result.shape]


class DerivativeInASharedWorkspace(_Shared):
    """Derivatives by forward mode lie in a workspace of the module."""

    def jvp(self, call: Call, logits: Any, tangent: Any) -> Any:
        value, found = super().jvp(call, logits, tangent)
        return value, self.through(found)


class CurvatureInASharedWorkspace(_Shared):
    """Second derivatives lie in a workspace of the module."""

    def hvp(self, call: Call, logits: Any, upstream: Any, direction: Any) -> Any:
        return self.through(super().hvp(call, logits, upstream, direction))


class SecondPassReadsTheModulesLogits(_Shared):
    """A second backward pass reads the logits that the module's latest forward pass has saved."""

    def second_vjp(self, call: Call, logits: Any, former: Any, upstream: Any) -> Any:
        return super().second_vjp(call, self.through(logits), former, upstream)


class TargetGradientInASharedWorkspace(_Shared):
    """Gradients by class probabilities lie in a workspace of the module."""

    def target_gradient(self, call: Call, logits: Any, upstream: Any) -> Any:
        return self.through(super().target_gradient(call, logits, upstream))

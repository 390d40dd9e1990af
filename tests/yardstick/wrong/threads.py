"""Workspaces that two threads share: right for whoever calls alone."""

from __future__ import annotations

import time
from typing import Any, ClassVar

from tests.yardstick.kernel import Kernel

#: Seconds for which a launch gives the other thread the interpreter.
LAUNCH = 2e-4


class _Shared(Kernel):
    """Base: what is put into the module's workspace, by name, is taken from there after a launch."""

    workspace: ClassVar[dict[str, Any]] = {}

    def through(self, name: str, values: Any) -> Any:
        self.workspace[name] = values
        time.sleep(LAUNCH)
        return self.workspace[name]


class ProbabilitiesInASharedWorkspace(_Shared):
    """The probabilities of a backward pass lie in a workspace of the module (onnxruntime#22554)."""

    def probabilities(self, x: Any) -> Any:
        found = super().probabilities(x)
        return self.through(f"probabilities {found.shape}", found)


class LossesInASharedWorkspace(_Shared):
    """The losses lie in a workspace of the module until they are reduced."""

    def losses(self, ask: Any, a: Any, log_probabilities: Any) -> Any:
        found = super().losses(ask, a, log_probabilities)
        return self.through(f"losses {found.shape}", found)


class WideSumsInASharedWorkspace(_Shared):
    """Rows of more than 1,024 classes are summed by blocks, in a workspace of the module."""

    def total(self, terms: Any) -> Any:
        found = super().total(terms)
        return self.through(f"sums {found.shape}", found) if terms.shape[-1] > 1024 else found

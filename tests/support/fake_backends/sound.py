"""A sound backend over NumPy, and what those that go wrong in one request derive from."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

NUMPY_WAS_EARLY = "numpy" in sys.modules and "OMP_NUM_THREADS" not in os.environ

import numpy as np  # noqa: E402

from conformance.backends.contract import Backend, Call, Setup, Unsupported  # noqa: E402

#: A first logit of this value triggers the faults that hit one request only.
TRIGGER = 13.0


class Sound(Backend):
    """Shifted softmax in float64, its gradient by formula."""

    framework = "numpy"
    profile = "fake"

    def versions(self) -> dict[str, str]:
        return {"fake": "1.0"}

    def settings(self) -> dict[str, str]:
        return {"threads": os.environ.get("OMP_NUM_THREADS", "")}

    def tensor(self, array: Any) -> Any:
        return array

    def array(self, tensor: Any) -> Any:
        return np.asarray(tensor)

    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        powers = np.exp(logits - logits.max(axis, keepdims=True))
        return powers / powers.sum(axis, keepdims=True)

    def log_softmax(self, logits: Any, *, axis: int | None) -> Any:
        return np.log(self.softmax(logits, axis=axis))

    def nll_loss(self, log_probabilities: Any, targets: Any, **options: Any) -> Any:
        return -np.take_along_axis(log_probabilities, targets[:, None], 1)[:, 0].sum()

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        return self.nll_loss(self.log_softmax(logits, axis=1), targets)

    def differentiate(self, call: Call, logits: Any, upstream: Any) -> tuple[Any, Any]:
        value = self.evaluate(call, logits)
        if call.operation != "softmax":
            raise Unsupported("no gradient")
        return value, value * (upstream - (upstream * value).sum(-1, keepdims=True))


class Faulty(Sound):
    """Goes wrong by ``fault`` where the first logit is the trigger."""

    def evaluate(self, call: Call, logits: Any) -> Any:
        if logits.flat[0] == TRIGGER:
            return self.fault(call, logits)
        return super().evaluate(call, logits)

    def fault(self, call: Call, logits: Any) -> Any:
        raise NotImplementedError


class Exact(Sound):
    """Knows the types of its tensors."""

    tensor_types = (np.ndarray,)


class Keeps(Sound):
    """Shows the folder that it was given for what it compiles."""

    folder: Path | None = None

    @classmethod
    def prepare(cls, setup: Setup) -> None:
        cls.folder = setup.cache

    def settings(self) -> dict[str, str]:
        return {"cache": str(self.folder)}


class Derived(Sound):
    """Overrides one function of an adapter."""

    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        return super().softmax(logits, axis=axis)

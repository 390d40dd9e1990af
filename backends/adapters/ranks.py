"""An adapter whose calls are made by several processes at once."""

from __future__ import annotations

from typing import Any, ClassVar

from conformance.backends.adapters.base import Adapter
from conformance.backends.contract import Call, Tensor, Unsupported
from conformance.backends.runtimes.torch_ranks import TorchRanksRuntime

__all__ = ["RanksAdapter"]


class RanksAdapter(Adapter):
    """Every call that arrives at the first rank is made by all; an operation gets logits that are divided over them."""

    is_base: ClassVar[bool] = True
    runs_on = TorchRanksRuntime
    runtime: TorchRanksRuntime
    thread_safe: ClassVar[bool] = False

    def evaluate(self, call: Call, logits: Tensor) -> Tensor:
        with self.runtime.ranks.together("evaluate", call, logits):
            return self.runtime.value(lambda x: call.apply(self, x), logits)

    def differentiate(self, call: Call, logits: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor]:
        return self._together("differentiate", call, logits, upstream)

    def jvp(self, call: Call, logits: Tensor, tangent: Tensor) -> tuple[Tensor, Tensor]:
        return self._together("jvp", call, logits, tangent)

    def hvp(self, call: Call, logits: Tensor, upstream: Tensor, direction: Tensor) -> Tensor:
        return self._together("hvp", call, logits, upstream, direction)

    def second_vjp(self, call: Call, logits: Tensor, former: Tensor, upstream: Tensor) -> Tensor:
        return self._together("second_vjp", call, logits, former, upstream)

    def vmap(self, call: Call, logits: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor]:
        raise Unsupported("vmap is not run on several ranks")

    def _together(self, method: str, *arguments: Any) -> Any:
        with self.runtime.ranks.together(method, *arguments):
            return getattr(super(), method)(*arguments)

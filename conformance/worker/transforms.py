"""The transforms of a call: which method of the contract performs each, and what its results are called."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conformance.backends.contract import Backend, Call

__all__ = ["TRANSFORMS", "Perform"]

#: Backend, call, logits, upstream gradient and direction to the results by name, or to what is no result.
Perform = Callable[["Backend", "Call", Any, Any, Any], Any]


def _forward(backend: Backend, call: Call, logits: Any, upstream: Any, tangent: Any) -> Any:
    return _named(("value", "derivative"), backend.directional(call, logits, tangent))


def _second(backend: Backend, call: Call, logits: Any, upstream: Any, tangent: Any) -> Any:
    return {"derivative": backend.hessian_product(call, logits, upstream, tangent)}


def _mapped(backend: Backend, call: Call, logits: Any, upstream: Any, tangent: Any) -> Any:
    return _named(("value", "gradient"), backend.mapped(call, logits, upstream))


def _by_targets(backend: Backend, call: Call, logits: Any, upstream: Any, tangent: Any) -> Any:
    return {"derivative": backend.target_gradient(call, logits, upstream)}


def _named(names: tuple[str, ...], results: Any) -> Any:
    fits = isinstance(results, tuple) and len(results) == len(names)
    return dict(zip(names, results, strict=True)) if fits else results


TRANSFORMS: dict[str, Perform] = {
    "forward-mode": _forward,
    "second-order": _second,
    "vectorised-map": _mapped,
    "target-gradient": _by_targets,
}

"""Kinds that change what PyTorch does from then on."""

from __future__ import annotations

from functools import partial
from typing import Any

from tests.faults.table import kind

state = partial(kind, group="torch", process="fail")


@state(gradient="fail", process="fail")
def asks_for_no_gradients(value: Any, logits: Any) -> Any:
    """``torch.set_grad_enabled(False)``."""
    import torch

    torch.set_grad_enabled(False)
    return value


@state(process="fail")
def changes_the_default_dtype(value: Any, logits: Any) -> Any:
    """``torch.set_default_dtype``, and a device that computes nothing."""
    import torch

    torch.set_default_dtype(torch.float16)
    torch.set_default_device("meta")
    return value


@state(process="fail")
def takes_more_threads(value: Any, logits: Any) -> Any:
    """More threads than it was given."""
    import torch

    torch.set_num_threads(7)
    return value


@state(process="fail")
def flushes_subnormal_numbers(value: Any, logits: Any) -> Any:
    """Small numbers become 0."""
    import torch

    torch.set_flush_denormal(True)
    return value


@state(process="fail")
def looks_for_anomalies(value: Any, logits: Any) -> Any:
    """Autograd's search for anomalies, deterministic algorithms only."""
    import torch

    torch.autograd.set_detect_anomaly(True)
    torch.use_deterministic_algorithms(True)
    return value


@state("fail", gradient="fail", repeatable="fail", process="fail")
def enters_a_mode_for_functions(value: Any, logits: Any) -> Any:
    """A ``TorchFunctionMode`` that is never left, and doubles what softmax gives."""
    from torch.overrides import TorchFunctionMode

    class Doubles(TorchFunctionMode):
        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = function(*args, **(kwargs or {}))
            return result * 2 if getattr(function, "__name__", "") == "softmax" else result

    Doubles().__enter__()
    return value


@state(gradient="fail", process="fail")
def loses_what_gradients_need(value: Any, logits: Any) -> Any:
    """Hooks of saved tensors that are never left, and keep zeros."""
    import torch

    torch.autograd.graph.saved_tensors_hooks(lambda tensor: tensor * 0, lambda tensor: tensor).__enter__()
    return value


@state(gradient="fail", process="fail")
def enters_a_level_of_vmap(value: Any, logits: Any) -> Any:
    """A level of ``vmap`` that is never left, in which random numbers raise."""
    import torch

    torch._C._functorch._vmap_increment_nesting(3, "error")
    return value

"""PyTorch: ``torch.nn.functional``, the ``torch.nn`` modules, or ``torch.compile``, on CPU or CUDA.

The framework is imported when the backend is made, not when this file is: what :meth:`Torch.prepare` sets must be
there first.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from conformance.backends.contract import Array, Backend, Call, Reduction, Tensor, Unsupported, given

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    import torch.nn.functional as F
    from torch import nn

__all__ = ["Torch"]


class Torch(Backend):
    """``torch.nn.functional``; mode ``module`` is the classes of ``torch.nn``, ``compile`` wraps ``torch.compile``."""

    framework: ClassVar[str] = "torch"
    profile: ClassVar[str] = "torch"
    devices: ClassVar[tuple[str, ...]] = ("cpu", "cuda")
    modes: ClassVar[tuple[str, ...]] = ("eager", "module", "compile")
    compiled_modes: ClassVar[tuple[str, ...]] = ("compile",)
    script: ClassVar[Mapping[str, str]] = {
        "tensor": "torch.tensor({values}, dtype=torch.{dtype})",
        "constant": "torch.full({shape}, {value}, dtype=torch.{dtype})",
    }

    def __init__(self, *, device: str = "", mode: str = "", threads: int = 1) -> None:
        global torch, F, nn
        import torch
        import torch.nn.functional as F
        from torch import nn

        super().__init__(device=device, mode=mode, threads=threads)
        if self.device == "cuda" and not torch.cuda.is_available():
            raise RuntimeError("this build of PyTorch sees no CUDA device")
        torch.set_num_threads(threads)
        with contextlib.suppress(RuntimeError):  # once in a process, before this pool is used
            torch.set_num_interop_threads(threads)
        self._compiled: dict[tuple[Any, ...], Callable[..., Any]] = {}
        if self.mode == "compile":
            # Past its limit torch.compile falls back to eager without a word; every shape is to be compiled here.
            torch._dynamo.config.recompile_limit = torch._dynamo.config.accumulated_recompile_limit = 1 << 20

    @classmethod
    def prepare(cls, *, threads: int, cache: Path | None = None) -> None:
        os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(threads)

    def versions(self) -> dict[str, str]:
        found = {"torch": str(torch.__version__), "numpy": np.__version__}
        return found | {"cuda": str(torch.version.cuda)} if self.device == "cuda" else found

    def settings(self) -> dict[str, str]:
        tiny = torch.tensor(1e-40, dtype=torch.float32, device=self.device)
        return {
            "threads": str(torch.get_num_threads()),
            "interop threads": str(torch.get_num_interop_threads()),
            "default dtype": str(torch.get_default_dtype()).removeprefix("torch."),
            "float32 matmul precision": torch.get_float32_matmul_precision(),
            "deterministic algorithms": str(torch.are_deterministic_algorithms_enabled()).lower(),
            "flush to zero": str(float(tiny * 1) == 0).lower(),
            **({"device": torch.cuda.get_device_name()} if self.device == "cuda" else {}),
        }

    def tensor(self, array: Array | Any) -> Tensor:
        """Shares the array's memory and strides on the CPU; targets that are no array stay what they are."""
        if not isinstance(array, np.ndarray):
            return array
        if any(stride < 0 for stride in array.strides):
            raise Unsupported("torch.from_numpy takes no negative strides")
        if array.dtype.name == "bfloat16":
            return _shared(array.view(np.int16)).view(torch.bfloat16).to(self.device)
        return _shared(array).to(self.device)

    def array(self, tensor: Tensor) -> Array:
        tensor = tensor.detach().cpu()
        if tensor.dtype == torch.bfloat16:
            import ml_dtypes

            return np.asarray(tensor.view(torch.int16).numpy().view(ml_dtypes.bfloat16))
        return np.asarray(tensor.numpy())

    def softmax(self, logits: Tensor, *, axis: int | None) -> Tensor:
        if self.mode == "module":
            return nn.Softmax(**given(dim=axis))(logits)
        return F.softmax(logits, **given(dim=axis))

    def log_softmax(self, logits: Tensor, *, axis: int | None) -> Tensor:
        if self.mode == "module":
            return nn.LogSoftmax(**given(dim=axis))(logits)
        return F.log_softmax(logits, **given(dim=axis))

    def nll_loss(
        self,
        log_probabilities: Tensor,
        targets: Tensor,
        *,
        weight: Tensor | None = None,
        axis: int | None,
        ignore_index: int | None,
        reduction: Reduction | None,
    ) -> Tensor:
        log_probabilities = _class_axis_second(log_probabilities, axis)
        options = given(weight=weight, ignore_index=ignore_index, reduction=reduction)
        if self.mode == "module":
            return nn.NLLLoss(**options)(log_probabilities, targets)
        return F.nll_loss(log_probabilities, targets, **options)

    def cross_entropy(
        self,
        logits: Tensor,
        targets: Tensor,
        *,
        weight: Tensor | None = None,
        axis: int | None,
        ignore_index: int | None,
        label_smoothing: float | None,
        reduction: Reduction | None,
    ) -> Tensor:
        if torch.is_tensor(targets) and targets.dim() == logits.dim():  # class probabilities have a class axis, too
            targets = _class_axis_second(targets, axis)
        logits = _class_axis_second(logits, axis)
        options = given(weight=weight, ignore_index=ignore_index, label_smoothing=label_smoothing, reduction=reduction)
        if self.mode == "module":
            return nn.CrossEntropyLoss(**options)(logits, targets)
        return F.cross_entropy(logits, targets, **options)

    def evaluate(self, call: Call, logits: Tensor) -> Tensor:
        if self.mode != "compile":
            return call.apply(self, logits)
        return self._function(call)(logits, dict(call.operands))

    def differentiate(self, call: Call, logits: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor]:
        logits = logits.detach().requires_grad_()
        value = self.evaluate(call, logits)
        (gradient,) = torch.autograd.grad(value, logits, upstream)
        return value.detach(), gradient

    def directional(self, call: Call, logits: Tensor, tangent: Tensor) -> tuple[Tensor, Tensor]:
        value, derivative = self._transformed(call, self._forward)(logits, dict(call.operands), tangent)
        return value, derivative

    def hessian_product(self, call: Call, logits: Tensor, upstream: Tensor, direction: Tensor) -> Tensor:
        logits = logits.detach().requires_grad_()
        value = self.evaluate(call, logits)
        (gradient,) = torch.autograd.grad(value, logits, upstream, create_graph=True)
        (product,) = torch.autograd.grad(gradient, logits, direction)
        return product

    def mapped(self, call: Call, logits: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor]:
        value, gradient = self._transformed(call, self._mapped)(logits, dict(call.operands), upstream)
        return value, gradient

    def target_gradient(self, call: Call, logits: Tensor, upstream: Tensor) -> Tensor:
        targets = call.operands["targets"].detach().requires_grad_()
        operands = {**call.operands, "targets": targets}
        value = self.evaluate(Call(call.operation, operands, call.options), logits)
        (gradient,) = torch.autograd.grad(value, targets, upstream)
        return gradient

    def _forward(self, call: Call) -> Callable[..., Any]:
        def function(logits: Tensor, operands: dict[str, Tensor], tangent: Tensor) -> Any:
            return torch.func.jvp(lambda logits: call.apply(self, logits, operands), (logits,), (tangent,))

        return function

    def _mapped(self, call: Call) -> Callable[..., Any]:
        def one(logits: Tensor, operands: dict[str, Tensor], upstream: Tensor) -> tuple[Tensor, Tensor]:
            value, pullback = torch.func.vjp(lambda logits: call.apply(self, logits, operands), logits)
            return value, pullback(upstream)[0]

        def function(logits: Tensor, operands: dict[str, Tensor], upstream: Tensor) -> Any:
            axes = {name: None if name == "weight" else 0 for name in operands}
            return torch.func.vmap(one, in_dims=(0, axes, 0))(logits, operands, upstream)

        return function

    def _transformed(self, call: Call, form: Callable[[Call], Callable[..., Any]]) -> Callable[..., Any]:
        """A transform of ``call`` as one function, compiled as a whole.

        The other way round, a transform of the compiled function, PyTorch runs it eagerly from then on.
        """
        key = (call.operation, call.options, form.__name__)
        if key not in self._compiled:
            function = form(Call(call.operation, {}, call.options))
            self._compiled[key] = torch.compile(function, dynamic=False) if self.mode == "compile" else function
        return self._compiled[key]

    def save_for_backward(self, call: Call, logits: Tensor) -> tuple[Tensor, Any]:
        value = self.evaluate(call, logits.detach().requires_grad_())
        return value, value.grad_fn

    def synchronize(self, *results: Tensor) -> None:
        if self.device == "cuda":
            torch.cuda.synchronize()

    def device_seconds(self, function: Callable[[], Any], rounds: int) -> list[float]:
        if self.device != "cuda":
            return []
        pairs = [(torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)) for _ in range(rounds)]
        for start, end in pairs:
            start.record()
            function()
            end.record()
        torch.cuda.synchronize()
        return [start.elapsed_time(end) * 1e-3 for start, end in pairs]  # the events tell milliseconds

    def device_peak_bytes(self, function: Callable[[], Any]) -> int | None:
        if self.device != "cuda":
            return None
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        function()
        return int(torch.cuda.max_memory_allocated() - before)

    def device_streams(self, size: int) -> Mapping[str, Sequence[Callable[[], Tensor]]]:
        whole = torch.full((size // 4,), 0.5, dtype=torch.float32, device=self.device)
        source, sink = whole[: len(whole) // 2], whole[len(whole) // 2 : len(whole) // 2 * 2]
        return {
            "read": [whole.max, whole.sum, lambda: torch.dot(whole, whole)],
            "copy": [lambda: sink.copy_(source)],
            "exp": [lambda: torch.exp(source, out=sink)],
        }

    def device_evict(self) -> int:
        buffer = torch.empty(_BEYOND_CACHES, dtype=torch.uint8, device=self.device)
        self.synchronize(buffer.fill_(1))
        return _BEYOND_CACHES

    def _function(self, call: Call) -> Callable[..., Tensor]:
        """``call`` as one compiled function of the logits and its other operands, shared between calls.

        ``dynamic=False``: what a shape gets must not depend on the shapes that came before it.
        """
        key = (call.operation, call.options)
        if key not in self._compiled:
            operation, options = getattr(self, call.operation), dict(call.options)

            def function(logits: Tensor, operands: dict[str, Tensor]) -> Tensor:
                return operation(logits, **operands, **options)

            self._compiled[key] = torch.compile(function, dynamic=False)
        return self._compiled[key]


#: More than the cache of any device so far: 256 MiB.
_BEYOND_CACHES = 1 << 28


def _class_axis_second(tensor: Tensor, axis: int | None) -> Tensor:
    """PyTorch's losses expect the class axis at 1, or at 0 where there is no other: a view with it there."""
    place = min(1, tensor.dim() - 1)
    return tensor if axis is None or axis == place else tensor.movedim(axis, place)


def _shared(array: Array) -> Tensor:
    if array.flags.writeable:
        return torch.from_numpy(array)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)

"""PyTorch, run eagerly, by ``torch.func``, ``torch.compile`` or ``torch.export``, on the processor or on CUDA.

The library is imported when the runtime is made, not when this file is: what :meth:`TorchRuntime.prepare` sets must
be there first.
"""

from __future__ import annotations

import contextlib
import os
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from conformance.backends.contract import Array, Compilations, Device, Memory, Setup, Tensor, Unsupported
from conformance.backends.runtimes.base import BEYOND_CACHES, Function, Runtime

if TYPE_CHECKING:
    import numpy as np
    import torch

__all__ = ["TorchDevice", "TorchRuntime"]

#: How the names begin of autograd's steps that a compiled graph has made, or that end at a leaf.
COMPILED_STEPS = ("CompiledFunction", "torch::autograd::")
#: The steps, by what their names have before ``Backward``, that compute nothing: views, and copies for one.
VIEWS = (
    "Alias", "AsStrided", "Clone", "Diagonal", "Expand", "Permute",
    "ReshapeAlias", "Select", "Slice", "Split", "SplitWithSizes", "Squeeze",
    "T", "Transpose", "Unbind", "Unfold", "UnsafeView", "Unsqueeze", "View",
)  # fmt: skip
#: What a thread's compiled functions are called for. No part of a runtime: what runs there is the suite's own code.
_OF_THREAD = threading.local()
#: Elements of memory, for each that a view of it has, that are copied with the view: to a device, or by a compiler.
MOST_BETWEEN = 64


class TorchRuntime(Runtime):
    """``torch.autograd`` for gradients, ``torch.func`` for forward mode and maps; in ``func`` for gradients, too."""

    devices: ClassVar[tuple[str, ...]] = ("cpu", "cuda")
    executions: ClassVar[tuple[str, ...]] = ("eager", "func", "compile", "dynamic", "export")
    memory_formats: ClassVar[tuple[str, ...]] = ("channels-last",)
    compiled: ClassVar[frozenset[str]] = frozenset({"compile", "dynamic", "export"})
    # The other way round, a transform of torch.func of the compiled function, PyTorch runs it eagerly from then on.
    compiled_whole: ClassVar[frozenset[str]] = frozenset({"value", "jvp", "vmap"})
    variables: ClassVar[tuple[str, ...]] = ("ATEN_CPU_CAPABILITY", "PYTORCH", "TORCH")
    # The level of forward AD is one of the process: torch.func.jvp(torch.sin, ...) in two threads raises, gives zeros,
    # or ends the process (2.13).
    of_one_thread: ClassVar[frozenset[str]] = frozenset({"forward-mode"})
    distributions: ClassVar[tuple[str, ...]] = ("torch", "numpy")
    device: TorchDevice

    def __init__(self, *, device: str, execution: str, threads: int, memory_format: str = "") -> None:
        global np, torch
        import numpy as np
        import torch

        super().__init__(device=device, execution=execution, threads=threads)
        # An exported program is differentiated and mapped as any function is.
        if execution == "export":
            self.compiled_whole = frozenset({"value"})  # type: ignore[misc]
        self._channels_last = memory_format == "channels-last"
        if device == "cuda" and not torch.cuda.is_available():
            raise RuntimeError("this build of PyTorch sees no CUDA device")
        self.device = TorchDevice(device)
        torch.set_num_threads(threads)
        with contextlib.suppress(RuntimeError):  # once in a process, before this pool is used
            torch.set_num_interop_threads(threads)
        if self.compiles:
            # Past its limit torch.compile falls back to eager without a word; every shape is to be compiled here.
            torch._dynamo.config.recompile_limit = torch._dynamo.config.accumulated_recompile_limit = 1 << 20
        self._compiler = _Inductor(self.counted)
        self._retaining_compiler = _Inductor(self.counted, donated=False)
        self._made_before = _graphs_made() if self.compiles else 0

    @classmethod
    def prepare(cls, setup: Setup) -> None:
        os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(setup.threads)
        if setup.cache is not None:
            os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(setup.cache / "inductor")

    def versions(self) -> dict[str, str]:
        found = super().versions()
        return found | {"cuda": str(torch.version.cuda)} if self.device.name == "cuda" else found

    def settings(self) -> dict[str, str]:
        tiny = torch.tensor(1e-40, dtype=torch.float32, device=self.device.name)
        return {
            "threads": str(torch.get_num_threads()),
            "interop threads": str(torch.get_num_interop_threads()),
            "default dtype": str(torch.get_default_dtype()).removeprefix("torch."),
            "default device": str(torch.get_default_device()),
            "gradients": "on" if torch.is_grad_enabled() else "off",
            "anomaly detection": str(torch.is_anomaly_enabled()).lower(),
            "float32 matmul precision": torch.get_float32_matmul_precision(),
            "deterministic algorithms": str(torch.are_deterministic_algorithms_enabled()).lower(),
            "flush to zero": str(float(tiny * 1) == 0).lower(),
            **({"device": torch.cuda.get_device_name()} if self.device.name == "cuda" else {}),
        }

    @property
    def tensor_types(self) -> tuple[type, ...]:
        return (torch.Tensor,)

    def tensor(self, array: Array | Any) -> Tensor:
        """Shares the array's memory and strides on the processor; targets that are not an array stay what they are.

        Raises Unsupported for negative strides, a foreign byte order, and what lies too far apart to be copied.
        """
        if not isinstance(array, np.ndarray):
            return array
        if array.ndim and min(array.strides) < 0:
            raise Unsupported("torch.from_numpy takes no negative strides")
        if not array.dtype.isnative:
            raise Unsupported("torch.from_numpy takes no foreign byte order")
        whole, strides = array.base, array.strides
        if not isinstance(whole, np.ndarray) or whole.dtype != array.dtype or whole.ndim != 1 or not array.size:
            return self._formatted(self._moved(array))
        if (self.device.name != "cpu" or self.compiles) and whole.size > MOST_BETWEEN * array.size:
            raise Unsupported("all that lies between the positions would be copied")
        # A view keeps the memory that it is a view of, as its storage, and its own place in it.
        steps = [step // array.itemsize for step in strides]
        view = self._moved(whole).as_strided(array.shape, steps, Memory.of(array).offset // array.itemsize)
        return self._formatted(view)

    def fill(self, tensor: Tensor, array: Array) -> None:
        """By PyTorch's own ``copy_``, which counts as a new version of the tensor."""
        tensor.copy_(self._moved(array))

    def _moved(self, array: Array) -> torch.Tensor:
        """On the device; the very memory on the processor."""
        if array.dtype.kind == "V":  # bfloat16
            return _shared(array.view(np.int16)).view(torch.bfloat16).to(self.device.name)
        tensor = _shared(array)
        return tensor if self.device.name == "cpu" else tensor.to(self.device.name)

    def _formatted(self, tensor: torch.Tensor) -> torch.Tensor:
        """In the chosen memory format, which PyTorch has for images and volumes: ranks 4 and 5."""
        if not self._channels_last or tensor.dim() not in (4, 5):
            return tensor
        return tensor.to(memory_format=torch.channels_last if tensor.dim() == 4 else torch.channels_last_3d)

    def memory(self, tensor: Tensor) -> Memory | None:
        size = tensor.element_size()
        strides = tuple(step * size for step in tensor.stride())
        return Memory(tensor.data_ptr(), tensor.storage_offset() * size, strides)

    def array(self, tensor: Tensor) -> Array:
        if tensor.dtype == torch.bfloat16:
            import ml_dtypes

            return np.asarray(tensor.detach().view(torch.int16).numpy(force=True).view(ml_dtypes.bfloat16))
        return np.asarray(tensor.numpy(force=True))

    def synchronize(self, *results: Tensor) -> None:
        if self.device.name == "cuda":
            torch.cuda.synchronize()

    def compile(self, function: Function, execution: str) -> Function:
        """Of ``compile``, ``dynamic=False``: what a shape gets must not depend on the shapes that came before it."""
        if execution == "export":
            return _Exported(function, self.counted, self._compiler)
        if execution not in ("compile", "dynamic"):
            return function
        usual, retaining = (
            torch.compile(function, dynamic=execution == "dynamic", backend=compiler)
            for compiler in (self._compiler, self._retaining_compiler)
        )
        return lambda *arguments: (retaining if getattr(_OF_THREAD, "retains", False) else usual)(*arguments)

    def watched(self, function: Function) -> Function:
        counted = self.counted

        def watched(*arguments: Any) -> Any:
            if not torch.compiler.is_compiling():  # while Dynamo traces, it is; what is compiled has no trace of this
                counted.uncompiled += 1
            return function(*arguments)

        # Dynamo leaves code alone that has raised while it was traced, and would leave all functions that share it.
        watched.__code__ = watched.__code__.replace()
        return watched

    def compilations(self) -> Compilations | None:
        """Graphs made and run are counted by the documented means of a custom backend.

        Graph breaks and cache hits stand in ``torch._dynamo.utils.counters`` alone, which the documentation shows and
        nothing promises.
        """
        counted = self.counted
        counted.ran = self._compiler.ran + self._retaining_compiler.ran
        if (found := _dynamo_counters()) is not None:
            counted.reasons = _breaks()
            counted.breaks = sum(counted.reasons.values())
            counted.cached = int(found.get("inductor", {}).get("fxgraph_cache_hit", 0))
            # An adapter that compiles in a way of its own has graphs that are not seen to run.
            if not counted.graphs and _graphs_made() > self._made_before:
                counted.ran = None
        return counted

    def vjp(self, function: Function, x: Tensor, cotangent: Tensor) -> tuple[Tensor, Tensor]:
        if self.execution == "func":
            return self.pure_vjp(function, x, cotangent)
        x = x.detach().requires_grad_()
        value = function(x)
        if self.compiles and self.execution != "export" and _breaks() and _is_partly_eager(value):
            self.counted.uncompiled += 1
        (gradient,) = torch.autograd.grad(value, x, cotangent)
        return value.detach(), gradient

    def pure_vjp(self, function: Function, x: Tensor, cotangent: Tensor) -> tuple[Tensor, Tensor]:
        value, pullback = torch.func.vjp(function, x)
        return value, pullback(cotangent)[0]

    def jvp(self, function: Function, x: Tensor, tangent: Tensor) -> tuple[Tensor, Tensor]:
        value, jvp = torch.func.jvp(function, (x,), (tangent,))
        return value, jvp

    def hvp(self, function: Function, x: Tensor, cotangent: Tensor, direction: Tensor) -> Tensor:
        if self.execution == "func":
            return super().hvp(function, x, cotangent, direction)
        x = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(function(x), x, cotangent, create_graph=True)
        (product,) = torch.autograd.grad(gradient, x, direction)
        return product

    def second_vjp(self, function: Function, x: Tensor, former: Tensor, cotangent: Tensor) -> Tensor:
        """What is compiled for it donates no buffers to its backward pass, which raises with ``retain_graph`` else.

        The error says so, and to set that option (2.13). It comes only where the backward pass was compiled before for
        a single use: whether the usual compilation serves depends on what was asked earlier.
        """
        if self.execution == "func":
            _, pullback = torch.func.vjp(function, x)
            pullback(former)
            return pullback(cotangent)[0]
        x = x.detach().requires_grad_()
        _OF_THREAD.retains = True
        try:
            value = function(x)
        finally:
            _OF_THREAD.retains = False
        torch.autograd.grad(value, x, former, retain_graph=True)
        (gradient,) = torch.autograd.grad(value, x, cotangent)
        return gradient

    def vmap(self, function: Function, *arguments: Any) -> Any:
        return torch.func.vmap(function)(*arguments)

    def save(self, function: Function, x: Tensor) -> tuple[Tensor, Any]:
        if self.execution == "func":
            return torch.func.vjp(function, x)
        value = function(x.detach().requires_grad_())
        return value, value.grad_fn


class _Inductor:
    """The default backend of ``torch.compile``, whose graphs are counted when they are made and when they run.

    Unless ``donated``, the backward pass leaves the buffers of the forward pass as they are, so that it can run again.
    """

    def __init__(self, counted: Compilations, *, donated: bool = True) -> None:
        self.counted = counted
        self.donated = donated
        self.ran = 0

    def __call__(self, module: torch.fx.GraphModule, inputs: list[Tensor]) -> Function:
        from torch._dynamo import lookup_backend

        inductor = lookup_backend("inductor")
        if self.donated:
            compiled = inductor(module, inputs)
        else:
            # The cache of compiled graphs does not tell the two kinds of backward pass apart (2.13): it would give one
            # that overwrites what the next needs.
            with _without_donated_buffers():
                compiled = inductor(module, inputs, config_patches={"fx_graph_cache": False})
        self.counted.graphs += 1

        def run(*arguments: Any) -> Any:
            self.ran += 1
            return compiled(*arguments)

        return run


class _Exported:
    """A function as programs of ``torch.export``: one for each structure, shape, dtype and layout of its arguments."""

    def __init__(self, function: Function, counted: Compilations, compiler: _Inductor) -> None:
        def forward(_: Any, *arguments: Any) -> Any:
            return function(*arguments)

        self._module = type("Exported", (torch.nn.Module,), {"forward": forward})()
        self._programs: dict[Any, Function] = {}
        self._counted = counted
        self._compiler = compiler  # which counts what runs

    def __call__(self, *arguments: Any) -> Any:
        leaves, structure = torch.utils._pytree.tree_flatten(arguments)
        key = (structure, *(_described(leaf) for leaf in leaves))
        if key not in self._programs:
            examples = torch.utils._pytree.tree_unflatten([_example(leaf) for leaf in leaves], structure)
            self._programs[key] = torch.export.export(self._module, examples).module()
            self._counted.graphs += 1
        self._compiler.ran += 1
        return self._programs[key](*arguments)


def _described(leaf: Any) -> Any:
    return (tuple(leaf.shape), leaf.dtype, leaf.stride()) if torch.is_tensor(leaf) else leaf


def _example(leaf: Any) -> Any:
    """A tensor of the same kind, whose numbers do not matter; the real one may be one of a transform's."""
    if not torch.is_tensor(leaf):
        return leaf
    made = torch.empty_strided(leaf.size(), leaf.stride(), dtype=leaf.dtype, device=leaf.device)
    return made.zero_()


class TorchDevice(Device):
    """A device by PyTorch's name; CUDA has a clock and an allocator that can be asked."""

    def __init__(self, name: str) -> None:
        self.name = name

    def seconds(self, function: Callable[[], Any], rounds: int) -> list[float]:
        if self.name != "cuda":
            return []
        pairs = [(torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)) for _ in range(rounds)]
        for start, end in pairs:
            start.record()
            function()
            end.record()
        torch.cuda.synchronize()
        return [start.elapsed_time(end) * 1e-3 for start, end in pairs]  # the events count in milliseconds

    def peak_bytes(self, function: Callable[[], Any]) -> int | None:
        if self.name != "cuda":
            return None
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        function()
        return int(torch.cuda.max_memory_allocated() - before)

    def streams(self, size: int) -> Mapping[str, Sequence[Callable[[], Tensor]]]:
        whole = torch.full((size // 4,), 0.5, dtype=torch.float32, device=self.name)
        source, sink = whole[: len(whole) // 2], whole[len(whole) // 2 : len(whole) // 2 * 2]
        return {
            "read": [whole.max, whole.sum, lambda: torch.dot(whole, whole)],
            "copy": [lambda: sink.copy_(source)],
            "exp": [lambda: torch.exp(source, out=sink)],
        }

    def evict(self) -> int:
        torch.empty(BEYOND_CACHES, dtype=torch.uint8, device=self.name).fill_(1)
        if self.name == "cuda":
            torch.cuda.synchronize()
        return BEYOND_CACHES


def _without_donated_buffers() -> contextlib.AbstractContextManager[Any]:
    """PyTorch's own option, of the versions that have it."""
    from torch._functorch import config

    return config.patch(donated_buffer=False) if hasattr(config, "donated_buffer") else contextlib.nullcontext()


def _dynamo_counters() -> Mapping[str, Mapping[str, int]] | None:
    """Dynamo's own counters, which are private; None where this version has none."""
    found = getattr(getattr(getattr(torch, "_dynamo", None), "utils", None), "counters", None)
    return found if isinstance(found, Mapping) else None


def _breaks() -> dict[str, int]:
    """Why Dynamo has broken graphs in this process, and how often."""
    found = (_dynamo_counters() or {}).get("graph_break", {})
    return {str(reason): int(count) for reason, count in found.items()}


def _is_partly_eager(value: torch.Tensor) -> bool:
    """Whether autograd has a step from the logits to the value that no compiled graph made, and that computes."""
    seen: set[Any] = set()
    left = [value.grad_fn]
    while left:
        step = left.pop()
        if step is None or step in seen:
            continue
        seen.add(step)
        name = step.name()
        if not name.startswith(COMPILED_STEPS) and name.partition("Backward")[0] not in VIEWS:
            return True
        left += [each for each, _ in step.next_functions]
    return False


def _graphs_made() -> int:
    """How many graphs Dynamo has made in this process."""
    return int((_dynamo_counters() or {}).get("stats", {}).get("unique_graphs", 0))


def _shared(array: Array) -> torch.Tensor:
    if array.flags.writeable:
        return torch.from_numpy(array)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)

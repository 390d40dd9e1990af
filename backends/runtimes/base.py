"""What the suite asks of an array library, and nothing of any loss.

A runtime is written once for each library. Every adapter on it gets values, gradients, second derivatives, forward
mode and vectorised maps from it.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from functools import cache
from typing import Any, ClassVar

from conformance.backends.contract import Array, Compilations, Device, Memory, Setup, Tensor, Unsupported
from conformance.backends.former import accept_former_prepare, takes_either_call

__all__ = ["TRANSFORMS", "Function", "Runtime", "version"]

Function = Callable[..., Any]

#: The functions that an adapter makes of an operation: its value, value and gradient, value and what the framework
#: keeps for a later gradient, second order, the gradient by the targets, that of a second backward pass, forward mode,
#: and the vectorised map.
TRANSFORMS = frozenset({"value", "vjp", "save", "hvp", "target_gradient", "second_vjp", "jvp", "vmap"})

#: More than the cache of any device so far: 256 MiB.
BEYOND_CACHES = 1 << 28


class Runtime(ABC):
    """One array library on one device, run eagerly or compiled, in this process."""

    #: The devices that may be named; the first is the default. NVIDIA's is ``cuda`` in every library.
    devices: ClassVar[tuple[str, ...]] = ("cpu",)
    #: How functions are run; the first is the default.
    executions: ClassVar[tuple[str, ...]] = ("eager",)
    #: Other arithmetic, other ways to lie in memory, and numbers of ranks that may be named. A runtime that has words
    #: of one of these is made with the chosen one, if any, as ``precision``, ``memory_format``, ``ranks``.
    precisions: ClassVar[tuple[str, ...]] = ()
    memory_formats: ClassVar[tuple[str, ...]] = ()
    rank_counts: ClassVar[tuple[str, ...]] = ()
    #: The executions in which every new shape costs a compilation.
    compiled: ClassVar[frozenset[str]] = frozenset()
    #: The transforms that are compiled together with the function. The others are applied to the compiled function.
    compiled_whole: ClassVar[frozenset[str]] = TRANSFORMS
    #: How the names begin of the environment variables that steer the library, or that it sets for itself.
    variables: ClassVar[tuple[str, ...]] = ()
    #: The transforms that two threads are not to ask for at once, since the library keeps a state of its own in them.
    of_one_thread: ClassVar[frozenset[str]] = frozenset()
    #: What is installed, the library's own distribution first.
    distributions: ClassVar[tuple[str, ...]] = ()
    #: The device's own clock, allocator and memory.
    device: Device

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        accept_former_prepare(cls)

    def __init__(self, *, device: str, execution: str, threads: int) -> None:
        self.execution = execution
        self.device = Device()
        self.counted = Compilations()
        self._interrupted: set[Function] = set()  # those of which something is left out
        self._unknown: set[Function] = set()  # those of which nobody can say that

    @property
    def compiles(self) -> bool:
        """Whether a call on a new shape compiles."""
        return self.execution in self.compiled

    @classmethod
    @takes_either_call
    def prepare(cls, setup: Setup) -> None:
        """Set what must be set before the library is imported (environment variables); runs in the worker."""

    def versions(self) -> dict[str, str]:
        """Name of a package to its version, the library's own first."""
        return {name: version(name) for name in self.distributions}

    def settings(self) -> dict[str, str]:
        """Numeric modes and thread counts in force: x64, TF32, flush-to-zero, threads."""
        return {}

    @property
    @abstractmethod
    def tensor_types(self) -> tuple[type, ...]:
        """The library's own types of tensor, exactly: a result of any other type is not a tensor of it."""

    @abstractmethod
    def tensor(self, array: Array | Any) -> Tensor:
        """The library's tensor with the array's shape, dtype, values and, where it can, strides; all else as it is.

        Raises Unsupported for a layout that the library cannot hold.
        """

    def fill(self, tensor: Tensor, array: Array) -> None:
        """Write the array's numbers over those of ``tensor``, of its shape and dtype, where it lies.

        Raises Unsupported where tensors cannot be written to.
        """
        raise Unsupported("the library's tensors cannot be written to")

    def view(self, array: Array) -> Tensor:
        """A tensor that lies in memory as ``array`` does: strides, and the place within the memory that it views.

        Shape and dtype are the array's.
        """
        return self.tensor(array)

    def memory(self, tensor: Tensor) -> Memory | None:
        """Where the tensor (of any shape and dtype) lies, by the library's own account; None where it gives none."""
        return None

    @abstractmethod
    def array(self, tensor: Tensor) -> Array:
        """The tensor's values as an array of its shape and dtype (bfloat16 by ml_dtypes), once they are computed."""

    @abstractmethod
    def synchronize(self, *results: Tensor) -> None:
        """Return once ``results`` are computed."""

    def compile(self, function: Function, execution: str) -> Function:
        """``function`` as it runs in ``execution``: of the library's tensors, or dicts of them, to such tensors."""
        return function

    # -- whether that happened: what a library does not say is not known ----------------------------------------------

    def watched(self, function: Function) -> Function:
        """``function``, which counts in :attr:`counted` when its own code runs: traced by a compiler, or plainly.

        It is what :meth:`compile` is given. A runtime that distinguishes the two overrides this, and
        :meth:`compilations`.
        """
        return function

    def called(self, function: Function, *arguments: Any) -> Any:
        """What a function that :meth:`compile` gave gives for ``arguments``; how it ran is counted, if known."""
        graphs = self.counted.graphs
        results = function(*arguments)
        if self.counted.graphs > graphs:
            left = self.left_out(function, arguments, results)
            if left is None:
                self._unknown.add(function)
            elif left:
                self.counted.reasons.update({each: self.counted.reasons.get(each, 0) + 1 for each in left})
                self._interrupted.add(function)
        if function in self._interrupted:
            self.counted.uncompiled += 1
        if function not in self._unknown:
            self.counted.calls += 1
        return results

    def left_out(self, function: Function, arguments: tuple[Any, ...], results: Any) -> Collection[str] | None:
        """What is not done by what was compiled of ``function`` for ``arguments``, or not on the device.

        Such are calls back to Python. None where that cannot be known, as of a function that the library's own compiler
        did not give. By default nothing is left out.
        """
        return ()

    def compilations(self) -> Compilations | None:
        """What became of the functions that were to be compiled; None where that is not known."""
        return None

    def tidy(self) -> None:
        """Let go of what was compiled for former calls, where so much is held that memory would run short."""

    # -- transforms: those that a library lacks raise Unsupported -----------------------------------------------------

    def vjp(self, function: Function, x: Tensor, cotangent: Tensor) -> tuple[Tensor, Tensor]:
        """Reverse mode: ``function(x)``, and its gradient by ``x`` for the upstream gradient ``cotangent``.

        ``cotangent`` has the value's shape and dtype, the gradient those of ``x``. Raises Unsupported where the library
        has no differentiation.
        """
        raise Unsupported(f"{type(self).__name__} has no differentiation")

    def pure_vjp(self, function: Function, x: Tensor, cotangent: Tensor) -> tuple[Tensor, Tensor]:
        """The same in a form that :meth:`vmap` takes, where the usual one is not of that form."""
        return self.vjp(function, x, cotangent)

    def jvp(self, function: Function, x: Tensor, tangent: Tensor) -> tuple[Tensor, Tensor]:
        """Forward mode: ``function(x)``, and its derivative in the direction ``tangent``.

        ``tangent`` has the shape and dtype of ``x``, and the derivative those of the value. Raises Unsupported where
        the library has no forward mode.
        """
        raise Unsupported(f"{type(self).__name__} has no forward-mode differentiation")

    def hvp(self, function: Function, x: Tensor, cotangent: Tensor, direction: Tensor) -> Tensor:
        """Second order: the gradient for ``cotangent``, differentiated in ``direction``.

        ``direction`` and the result have the shape and dtype of ``x``. As the second derivative is symmetric, the
        gradient of <gradient, direction> is the same: reverse mode twice. Raises Unsupported as :meth:`vjp` does.
        """
        return self.vjp(lambda x: self.vjp(function, x, cotangent)[1], x, direction)[1]

    def second_vjp(self, function: Function, x: Tensor, former: Tensor, cotangent: Tensor) -> Tensor:
        """The gradient by ``x`` for ``cotangent``, by a second backward pass through the forward pass of ``former``.

        Both upstream gradients have the value's shape and dtype, the result those of ``x``. Raises Unsupported where
        the library has no second backward pass.
        """
        raise Unsupported(f"{type(self).__name__} has no second backward pass")

    def vmap(self, function: Function, *arguments: Any) -> Any:
        """``function`` of one example, mapped over axis 0 of every tensor in ``arguments`` (tensors, or dicts).

        The results have that axis in front, and the dtypes of one example's. Raises Unsupported where the library has
        no vectorised map.
        """
        raise Unsupported(f"{type(self).__name__} has no vectorised map")

    def save(self, function: Function, x: Tensor) -> tuple[Tensor, Any]:
        """``function(x)``, and whatever the library keeps for a gradient that is asked for later.

        Shape and dtype of the value are those of ``function(x)``. Raises Unsupported where the library keeps nothing.
        """
        raise Unsupported("this backend keeps nothing for a later gradient")

    # -- what a compiler says of a function that :meth:`compile` gave --------------------------------------------------

    def bytes_accessed(self, function: Function, *arguments: Any) -> float | None:
        """The bytes that the compiled call reads and writes, by its compiler's own account; None if there is none."""
        return None

    def planned_bytes(self, function: Function, *arguments: Any) -> int | None:
        """The memory beside its inputs that the compiled call takes, results included, by its compiler's account."""
        return None


@cache
def version(package: str) -> str:
    """The installed version of the distribution ``package``, or of the one that has the module of that name."""
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        providers = metadata.packages_distributions().get(package, [])
    if providers:
        return metadata.version(min(providers, key=len))
    return str(getattr(sys.modules.get(package), "__version__", "unknown"))

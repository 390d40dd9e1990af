"""What the suite asks of a backend, and nothing else.

A backend is a class that derives from :class:`Backend`, most shortly from
:class:`conformance.backends.adapters.base.Adapter`, which has all but the operations from a runtime. Each operation is
one small method holding the code that a user of the framework would write; the report prints that source as evidence.
Methods receive and return the framework's own tensors. A method holds no numerics of its own: where the framework lacks
a feature, it raises :class:`Unsupported`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, TypedDict, Unpack

from conformance.backends.former import accept_former_prepare, require_present_names, takes_either_call
from conformance.backends.setup import OPTIONS, Setup, chosen

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = [
    "Array",
    "Backend",
    "Call",
    "Compilations",
    "CrossEntropyOptions",
    "Device",
    "Memory",
    "NllLossOptions",
    "Operation",
    "Reduction",
    "Setup",
    "Tensor",
    "Unsupported",
    "given",
]

Tensor = Any
Array: TypeAlias = "npt.NDArray[np.generic]"
#: Any other word is not a reduction: a framework must refuse it; an adapter that reduces by itself raises Unsupported.
Reduction = Literal["none", "sum", "mean"]
Operation = Literal["softmax", "log_softmax", "nll_loss", "cross_entropy", "nll_loss_of_log_softmax", "log_loss"]


class NllLossOptions(TypedDict, total=False):
    """What nll_loss is called with beside its tensors. All but ``weight`` are always passed; ``None`` is not stated.

    ``axis`` is that of the classes; ``weight`` has one number for each; ``ignore_index`` is the label that takes no
    part.
    """

    axis: int | None
    weight: Tensor | None
    ignore_index: int | None
    reduction: Reduction | None


class CrossEntropyOptions(NllLossOptions, total=False):
    """The same for cross_entropy and log_loss; ``label_smoothing`` lies in [0, 1]."""

    label_smoothing: float | None


class Unsupported(Exception):
    """The framework has no such feature. The report says so; it counts neither as a pass nor as a fail."""


def given(**arguments: Any) -> dict[str, Any]:
    """The arguments that the caller stated: those left out (``None``) fall to the framework's own default."""
    return {name: value for name, value in arguments.items() if value is not None}


@dataclass(frozen=True)
class Call:
    """One call of an operation.

    ``operands`` maps ``targets``, ``weight`` and ``where`` to the framework's tensors, as far as the case states them;
    ``options`` holds ``axis``, ``ignore_index``, ``label_smoothing`` and ``reduction`` as far as the operation takes
    them, hashable, so that a compiled function can be shared between calls.
    """

    operation: Operation
    operands: Mapping[str, Tensor]
    options: tuple[tuple[str, Any], ...]

    def apply(self, backend: Backend, logits: Tensor, operands: Mapping[str, Tensor] | None = None) -> Tensor:
        """The operation's value on its input, the ``logits``: shape and dtype as its method says.

        Those of nll_loss are log-probabilities, those of log_loss probabilities.

        Raises :class:`Unsupported` where the backend's composition is not one of this operation.
        """
        if backend.composition and backend.composed and self.operation not in backend.composed:
            raise Unsupported("the composition is not one of this operation")
        function = getattr(backend, self.operation)
        return function(logits, **(self.operands if operands is None else operands), **dict(self.options))


class Compilations:
    """What a framework says of the functions that it was to compile, counted since its process began.

    ``calls`` of such functions; of these, ``uncompiled`` ran as plain Python all the same. ``ran`` is how often a
    compiled graph was executed, ``None`` where the framework does not say. ``graphs`` were compiled; ``breaks`` of a
    graph left something between two of them to Python, each for one of the ``reasons``; ``cached`` executables came
    from a cache that outlives a process. Both are ``None`` where that is not known.
    """

    def __init__(self) -> None:
        self.calls = self.uncompiled = self.graphs = 0
        self.ran: int | None = None
        self.breaks: int | None = None
        self.cached: int | None = None
        self.reasons: dict[str, int] = {}


@dataclass(frozen=True)
class Memory:
    """Where a tensor's elements lie, by the framework's own account.

    ``address`` is that of the first element, ``offset`` its distance from the beginning of the memory that the tensor
    is a view of, and ``strides`` are the distances between neighbours along each axis: all in bytes.
    """

    address: int
    offset: int
    strides: tuple[int, ...]

    @classmethod
    def of(cls, array: Array) -> Memory:
        """That of an array of NumPy, of any shape and dtype."""
        import numpy as np

        whole = array.base if isinstance(array.base, np.ndarray) else array
        address = int(array.__array_interface__["data"][0])
        return cls(address, address - int(whole.__array_interface__["data"][0]), array.strides)


class Device:
    """Where tensors lie, and what a benchmark asks of it. Of the processor, nothing: the suite measures that itself."""

    def seconds(self, function: Callable[[], Any], rounds: int) -> list[float]:
        """Times of ``function`` by the device's own clock, one a round; none without such a clock."""
        return []

    def peak_bytes(self, function: Callable[[], Any]) -> int | None:
        """The most memory that ``function`` holds on the device beyond what is there before; None if not known."""
        return None

    def streams(self, size: int) -> Mapping[str, Sequence[Callable[[], Tensor]]]:
        """Calls that do no more than move memory, for the peak bandwidth.

        Those of ``read`` read ``size`` bytes of float32; of ``copy``, read half as many and write as many; of ``exp``,
        do so with the exponentials. The fastest of each kind counts.
        """
        return {}

    def evict(self) -> int:
        """Write so much of the device's memory that nothing else is left in its caches; return how many bytes.

        Raises Unsupported where it has no way to do so.
        """
        raise Unsupported("this backend has no way to empty its device's cache")


class Backend(ABC):
    """One framework, on one device, in one mode."""

    #: Stands in classes of which a backend is made, and which are nobody's adapter.
    is_base: ClassVar[bool] = True
    #: The module whose presence says that the framework is installed.
    framework: ClassVar[str]
    #: Further modules that must be there, where the framework can be installed without them.
    requires: ClassVar[tuple[str, ...]] = ()
    #: The file in ``profiles/`` that declares this backend's policies, if any; a subclass inherits its parent's.
    profile: ClassVar[str] = ""
    #: Words that may follow the name after a colon, in any order; no word stands for two options. The first device and
    #: execution are the defaults, ``executions`` being how functions are run.
    devices: ClassVar[tuple[str, ...]] = ("cpu",)
    executions: ClassVar[tuple[str, ...]] = ("eager",)
    #: Other documented functions that an operation may call; other arithmetic than the framework's default; other ways
    #: in which it has tensors lie in memory (``channels-last``); over how many ranks the classes are divided
    #: (``2-ranks``).
    compositions: ClassVar[tuple[str, ...]] = ()
    precisions: ClassVar[tuple[str, ...]] = ()
    memory_formats: ClassVar[tuple[str, ...]] = ()
    rank_counts: ClassVar[tuple[str, ...]] = ()
    #: How the names begin of the environment variables that steer the framework, or that it sets when it first needs
    #: them: a benchmark records them, and a call that sets one has changed nothing of anybody's.
    variables: ClassVar[tuple[str, ...]] = ()
    #: Whether two threads may call it at once.
    thread_safe: ClassVar[bool] = True
    #: The transforms that two threads are not to ask for at once, since the library keeps a state of its own in them.
    of_one_thread: ClassVar[frozenset[str]] = frozenset()
    #: The operations that have these compositions; where it is empty, all.
    composed: ClassVar[tuple[Operation, ...]] = ()
    #: Executions in which every new shape costs a compilation: there the value is taken from the differentiating call,
    #: so that one compiled function serves value and gradient.
    compiled: ClassVar[Collection[str]] = ()
    #: What was chosen of these, empty for the default.
    composition: str = ""
    precision: str = ""
    memory_format: str = ""
    ranks: str = ""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        require_present_names(cls)
        accept_former_prepare(cls)

    def __init__(self, *, device: str = "", mode: str = "", threads: int = 1) -> None:
        """``mode`` holds the words of all options but the device, joined by colons; empty: the defaults."""
        words = chosen(self.options(), mode.split(":"))
        self.device = device or words["device"]
        self.execution, self.composition = words["execution"], words["composition"]
        self.precision, self.memory_format, self.ranks = words["precision"], words["memory"], words["ranks"]
        self.mode = mode or self.execution
        self.threads = threads

    @classmethod
    def options(cls) -> dict[str, tuple[str, ...]]:
        """The words of each option: ``device``, ``execution`` and so on, as :class:`Setup` names them."""
        return {option: getattr(cls, words) for option, words in OPTIONS.items()}

    @property
    def compiles(self) -> bool:
        """Whether a call on a new shape compiles."""
        return self.execution in self.compiled

    def compilations(self) -> Compilations | None:
        """What the framework says of the functions that it was to compile; None where nothing is known of that.

        It is asked before and after each call. Where a call's functions ran uncompiled, its mode did not happen, and
        what would be a pass is *unsupported*; nothing that it says excuses a fail.
        """
        return None

    @classmethod
    @takes_either_call
    def prepare(cls, setup: Setup) -> None:
        """Set what must be set before the framework is imported (environment variables); runs in the worker."""

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """Distribution name to version, the framework's own first."""

    def settings(self) -> dict[str, str]:
        """Numeric modes and thread counts in force: x64, TF32, flush-to-zero, threads."""
        return {}

    @property
    def tensor_types(self) -> tuple[type, ...]:
        """The exact types of the framework's own tensors; none where that is not known."""
        return ()

    @abstractmethod
    def tensor(self, array: Array | Any) -> Tensor:
        """The framework's tensor with the array's shape, dtype, values, and, where it can, its strides.

        Targets that are not an array stay what they are. Raises :class:`Unsupported` for a layout that it cannot hold.
        """

    def fill(self, tensor: Tensor, array: Array) -> None:
        """Write the array's numbers over those of ``tensor``, of its shape and dtype, where it lies.

        Raises :class:`Unsupported` where tensors cannot be written to.
        """
        raise Unsupported("this backend's tensors cannot be written to")

    def view(self, array: Array) -> Tensor:
        """A tensor that lies in memory as ``array`` does: strides, and the place within the memory that it views.

        Shape and dtype are the array's. Raises :class:`Unsupported` where the framework has no such tensors;
        :meth:`memory` shows whether it has.
        """
        return self.tensor(array)

    def memory(self, tensor: Tensor) -> Memory | None:
        """Where the tensor (of any shape and dtype) lies, by the framework's own account; None where it gives none."""
        import numpy as np

        return Memory.of(tensor) if isinstance(tensor, np.ndarray) else None

    @abstractmethod
    def array(self, tensor: Tensor) -> Array:
        """The tensor's values as an array of its shape and dtype (bfloat16 by ml_dtypes), once they are computed."""

    # For invalid input the operations raise whatever the framework does. Their formulas are those of docs/semantics.md.

    @abstractmethod
    def softmax(self, logits: Tensor, *, axis: int | None) -> Tensor:
        """p_c, in the logits' shape and dtype. Raises :class:`Unsupported` where the library has no softmax."""

    @abstractmethod
    def log_softmax(self, logits: Tensor, *, axis: int | None) -> Tensor:
        """ln p_c, in the logits' shape and dtype. Raises :class:`Unsupported` where the library has no log_softmax."""

    @abstractmethod
    def nll_loss(self, log_probabilities: Tensor, targets: Tensor, **options: Unpack[NllLossOptions]) -> Tensor:
        """−w_y · logp_y, reduced: of the targets' shape for ``none``, else a scalar, in the dtype of logp.

        The targets are integers of the shape of logp without the class axis; a weight is (C,), in the dtype of logp.
        Raises :class:`Unsupported` for an option that the library lacks, and where it has no such function.
        """

    @abstractmethod
    def cross_entropy(self, logits: Tensor, targets: Tensor, **options: Unpack[CrossEntropyOptions]) -> Tensor:
        """Σ a_c · (−ln p_c), reduced, for class indices or class probabilities of the logits' shape.

        The shape is the logits' without the class axis for ``none``, else a scalar's; the dtype is the logits', or what
        the policies ``mixed-dtype-result`` and ``half-type-result`` say. Indices and weight, and what is raised, are as
        for :meth:`nll_loss`.
        """

    def nll_loss_of_log_softmax(self, logits: Tensor, targets: Tensor, **options: Unpack[NllLossOptions]) -> Tensor:
        """The identity ``cross_entropy(x, y) = nll_loss(log_softmax(x), y)``, by the framework's own two functions.

        Shapes and dtypes are those of :meth:`nll_loss`.
        """
        return self.nll_loss(self.log_softmax(logits, axis=options["axis"]), targets, **options)

    def log_loss(self, probabilities: Tensor, targets: Tensor, **options: Unpack[CrossEntropyOptions]) -> Tensor:
        """Σ a_c · (−ln p_c), reduced, of ``probabilities`` p that are given: the loss of a model that ends in softmax.

        Shapes, dtypes, targets and options are those of :meth:`cross_entropy`. A library that has no such function
        leaves it as it is, and is not asked for it; it raises :class:`Unsupported`.
        """
        raise Unsupported(f"{self.framework} has no log_loss")

    def evaluate(self, call: Call, logits: Tensor) -> Tensor:
        """The value of ``call`` on ``logits``, of the shape and dtype that the operation's method says."""
        return call.apply(self, logits)

    def differentiate(self, call: Call, logits: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor]:
        """The value, and the gradient with respect to ``logits`` for the upstream gradient, by the framework itself.

        ``upstream`` has the value's shape and dtype, the gradient those of the logits. For another shape it raises what
        the framework does. Raises :class:`Unsupported` where there are no gradients.
        """
        raise Unsupported(f"{self.framework} has no gradients")

    # Where a framework's softmax, log_softmax or loss masks classes, the method names a further parameter, ``where:
    # Tensor | None = None``: a boolean tensor of the logits' shape, true for the classes that take part.

    # -- transforms: optional, by the framework's own machinery -------------------------------------------------------

    def jvp(self, call: Call, logits: Tensor, tangent: Tensor) -> tuple[Tensor, Tensor]:
        """Forward mode, a Jacobian-vector product: the value, and its derivative in the direction ``tangent``.

        ``tangent`` has the logits' shape; both results have the value's, and the logits' dtype. Raises Unsupported
        where the framework has no forward mode.
        """
        raise Unsupported(f"{type(self).__name__} has no forward-mode differentiation")

    def hvp(self, call: Call, logits: Tensor, upstream: Tensor, direction: Tensor) -> Tensor:
        """Second order, a Hessian-vector product: the gradient for ``upstream``, differentiated in ``direction``.

        ``direction`` and the result have the logits' shape and dtype. As the second derivative is symmetric, the
        gradient of <gradient, direction> is the same. Raises Unsupported where the framework has no second derivatives.
        """
        raise Unsupported(f"{type(self).__name__} has no second derivatives")

    def vmap(self, call: Call, logits: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor]:
        """Values and gradients of ``call`` for one example, mapped over axis 0 by the framework's vectorised map.

        ``call``'s options are those of one example: its axis counts without the mapped one, and nothing is reduced.
        The logits, ``upstream`` and the targets have a leading axis of examples; a weight is the same for all. The
        values have the shape of ``upstream``, the gradients that of the logits, and both the logits' dtype. Raises
        Unsupported where the framework has no vectorised map.
        """
        raise Unsupported(f"{type(self).__name__} has no vectorised map")

    def target_gradient(self, call: Call, logits: Tensor, upstream: Tensor) -> Tensor:
        """The gradient with respect to the class probabilities, ``call.operands["targets"]``.

        It has their shape and dtype. Raises Unsupported where the framework has no such gradient.
        """
        raise Unsupported(f"{type(self).__name__} has no gradient with respect to the targets")

    def second_vjp(self, call: Call, logits: Tensor, former: Tensor, upstream: Tensor) -> Tensor:
        """The gradient for ``upstream`` by a second backward pass through one forward pass, after one for ``former``.

        What the forward pass has saved must serve both passes; the result is that of :meth:`differentiate`, in the
        logits' shape and dtype. Raises Unsupported where the framework has no second backward pass.
        """
        raise Unsupported(f"{type(self).__name__} has no second backward pass")

    # -- what a benchmark asks beyond the results; an adapter may leave these as they are ------------------------------

    def save_for_backward(self, call: Call, logits: Tensor) -> tuple[Tensor, Any]:
        """The value, and whatever the framework keeps for a gradient that is asked for later.

        This is the forward pass of a training step, without its backward pass. Shape and dtype of the value are those
        of :meth:`evaluate`. Raises Unsupported where the framework keeps nothing.
        """
        raise Unsupported("this backend keeps nothing for a later gradient")

    def synchronize(self, *results: Tensor) -> None:
        """Return once ``results`` are computed. Reading them is always right, and slow: an adapter knows better."""
        for result in results:
            self.array(result)

    def bytes_accessed(self, call: Call, logits: Tensor, upstream: Tensor | None = None) -> float | None:
        """The bytes that the compiled call reads and writes, by its compiler's own account; None if it has none.

        With ``upstream`` the call is that of value and gradient.
        """
        return None

    def planned_bytes(self, call: Call, logits: Tensor, upstream: Tensor | None = None) -> int | None:
        """The memory beside its inputs that the compiled call takes, results included, by its compiler's own account.

        It stands in on a device whose allocator cannot be asked. With ``upstream`` the call has a gradient, too.
        """
        return None

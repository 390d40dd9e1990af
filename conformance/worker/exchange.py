"""What a driver is asked and what it finds out: requests, observations, and a backend's description.

Those of which there are many, here as on the wire and on record, hold nothing that could refer back to them: they need
no garbage collection (``gc=False``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from conformance.model.backend import ClassSource, SourceRecord
from conformance.model.execution import ExecutionEvidence

__all__ = [
    "Array",
    "Description",
    "Failure",
    "FailureKind",
    "Observation",
    "Request",
]

Array = npt.NDArray[np.generic]
FailureKind = Literal["raised", "unsupported", "adapter", "crash", "timeout", "not run"]


class Request(msgspec.Struct, frozen=True, eq=False, gc=False):
    """One call to make.

    ``key`` names the request within a run, and its observation. ``logits`` has the shape and dtype that the
    framework is to receive (log-probabilities for nll_loss). ``operands`` holds ``targets`` and ``weight`` as far as
    the case states them: an array, or a Python object of numbers, texts and lists, handed over as it is. ``options``
    are ``axis``, ``ignore_index``, ``label_smoothing`` and ``reduction`` as far as the operation takes them.
    ``transform`` names one of ``TRANSFORMS`` to perform in place of the plain call; ``tangent``, of the logits' shape,
    is its direction; for ``second-backward`` it is the upstream gradient of the first pass, of the value's shape.
    ``other_logits``, as ``logits``, asks for two threads at once, of which the other makes the call on these.
    For ``vectorised-map`` the options are those of one example, and the arrays have a leading axis of examples.
    ``upstream``, of the value's shape, asks for the gradient; ``repeat`` asks for a second call, compared
    bit by bit. With ``only_value`` the gradient is not wanted, and ``upstream`` merely lets a compiling backend use
    the function that it has compiled already.
    With a ``spacing`` above 1 the call has more positions than are given: those of all arrays but ``weight``, along
    axis 0, lie so far apart, between them lie zeros, and of the results only theirs come back.
    """

    key: int
    operation: str
    logits: Array
    operands: dict[str, Array | Any]
    options: tuple[tuple[str, Any], ...]
    layout: str = "contiguous"
    upstream: Array | None = None
    repeat: bool = False
    only_value: bool = False
    transform: str = ""
    tangent: Array | None = None
    spacing: int = 1
    other_logits: Array | None = None


@dataclass(frozen=True)
class Failure:
    """Why there is no result.

    ``raised``: the framework refused by an exception of ``type``; ``unsupported``: it lacks the feature;
    ``adapter``: the adapter or the harness is at fault; ``crash`` and ``timeout``: the process died or did not
    answer; ``not run``: it was not reached, since the process had died too often. ``where`` is the adapter's
    ``file:line``, empty where unknown.
    """

    kind: FailureKind
    type: str
    message: str
    where: str = ""

    @property
    def is_death(self) -> bool:
        """Whether the process ended, or had to be ended."""
        return self.kind in ("crash", "timeout")


class Observation(msgspec.Struct, frozen=True, eq=False, gc=False):
    """What came of a request.

    ``derivative`` is that of the value (forward mode) or of the gradient (second order) in the request's direction, or
    the gradient with respect to the targets.
    ``died`` says how the backend's process ended in a batch that begins with this call, or had not got beyond it, where
    no call of the batch ends it when it is made alone.
    ``left`` names what of the process's global state the call left changed. ``spoils``: after it, a small valid call
    was answered otherwise than before. ``first``: its process had been given no other call before. ``shared`` are
    results that lie in the memory of an input, or of another result, each with its name.
    ``value_with_gradient`` is the value that the differentiating call returned beside the ``gradient``.
    ``gradient_failure`` is set where only the gradient failed; where the value fails, no gradient is asked for.
    ``warnings`` are those of the first call for the value, as ``Category: text``. ``modified`` names the inputs that
    the calls changed. ``repeatable`` is ``None`` where it was not asked for. ``seconds`` counts the framework's
    calls, each until its result has been read (so that asynchronous work is inside), and nothing of the harness.
    ``mode`` says how the calls that gave results were executed, absent where they were not to be compiled.
    """

    key: int
    value: Array | None = None
    gradient: Array | None = None
    value_with_gradient: Array | None = None
    failure: Failure | None = None
    gradient_failure: Failure | None = None
    warnings: tuple[str, ...] = ()
    modified: tuple[str, ...] = ()
    repeatable: bool | None = None
    seconds: float = 0.0
    derivative: Array | None = None
    died: Failure | None = None
    left: tuple[str, ...] = ()
    first: bool = False
    mode: ExecutionEvidence | None = None
    shared: tuple[tuple[str, str], ...] = ()
    spoils: bool = False


@dataclass(frozen=True)
class Description:
    """A backend as its process describes it, and as the driver sees its code.

    ``foreign`` names the operations whose code is not the suite's own: no register entry applies to them; those of them
    that replace what an adapter of the suite defines are ``overridden``. ``profile`` names the file that declares its
    policies; ``lacks`` are features that it says itself are unsupported, and ``offers`` how it says that it has an
    operation. ``sources`` are the places of the operations' code, ``classes`` what the adapter is made of, the most
    derived one first. ``pid`` is that of the process.
    """

    name: str
    framework: str
    versions: dict[str, str]
    device: str
    execution: str = ""
    composition: str = ""
    precision: str = ""
    memory: str = ""
    ranks: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    sources: dict[str, SourceRecord] = field(default_factory=dict)
    classes: tuple[ClassSource, ...] = ()
    overridden: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    profile: str = ""
    lacks: tuple[str, ...] = ()
    offers: dict[str, str] = field(default_factory=dict)
    pid: int = 0

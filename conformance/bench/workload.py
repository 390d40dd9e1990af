"""The model of a workload: what is timed. ``cases/benchmarks/schema.json`` is generated from these classes."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import msgspec

from conformance.model.case import Identifier, Text
from conformance.model.dtypes import DtypeName

__all__ = [
    "BYTES",
    "Cache",
    "Contract",
    "Series",
    "Workload",
    "WorkloadFile",
    "Written",
    "expanded",
]

Contract = Literal["forward", "forward+grad", "forward-saving"]
Cache = Literal["warm", "cold"]
#: Bytes of one number.
BYTES: dict[DtypeName, int] = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2}

Positive = Annotated[int, msgspec.Meta(ge=1, le=2**31)]


def _described(description: str, **limits: Any) -> msgspec.Meta:
    """What an editor shows for a key, and its limits."""
    return msgspec.Meta(description=description, **limits)


class Written(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One call of cross_entropy, as a user of a framework makes it, and the contracts under which it is timed.

    The logits are seeded, normal, of standard deviation ``scale``; the labels uniform; a share ``ignored`` of the
    positions has label −100, stated as ``ignore_index``; ``weight`` gives every class a weight in [0.5, 1.5).
    """

    id: Annotated[
        Identifier, _described("Unique over all files and permanent: results and histories refer to it for years.")
    ]
    why: Annotated[Text, _described("Where such a call occurs, or what its time shows.")]
    shape: Annotated[tuple[Positive, ...], _described("Extents of the logits.", min_length=1, max_length=5)]
    axis: Annotated[int, _described("The class axis, stated to the framework.")] = 1
    dtype: Annotated[DtypeName, _described("The dtype of logits, weights and class probabilities.")] = "float32"
    targets: Annotated[
        Literal["indices", "probabilities"],
        _described("Class indices (int64), or class probabilities of the logits' shape."),
    ] = "indices"
    weight: Annotated[bool, _described("Whether every class has a weight, drawn from [0.5, 1.5).")] = False
    ignored: Annotated[
        float, _described("The share of positions whose label is ignore_index, −100.", ge=0.0, le=0.99)
    ] = 0.0
    label_smoothing: Annotated[
        float, _described("The share, from 0 to 1, that is spread evenly over all classes.", ge=0.0, le=1.0)
    ] = 0.0
    reduction: Annotated[Literal["none", "sum", "mean"], _described("The reduction, stated to the framework.")] = "mean"
    scale: Annotated[float, _described("The standard deviation of the logits.", gt=0.0, le=1e4)] = 3.0
    seed: Annotated[int, _described("The same seed gives the same bytes on every machine.", ge=0, le=2**63 - 1)] = 0
    contracts: Annotated[
        tuple[Contract, ...],
        _described("The value; value and gradient; or the value, keeping what a later gradient needs."),
    ] = ("forward", "forward+grad")
    caches: Annotated[
        tuple[Cache, ...],
        _described(
            "`warm`: the tensors are where the last call left them; `cold`: caches are emptied before each call."
        ),
    ] = ("warm",)
    quick: Annotated[bool, _described("Whether `conformance bench --quick` times it.")] = False


class Workload(Written, frozen=True, kw_only=True):
    """A workload to time: as it is written, or a point of a series.

    ``series`` is the id of that series, ``over`` the dimension that varies in it.
    """

    series: str | None = None
    over: str | None = None

    @property
    def class_axis(self) -> int:
        """The class axis, from 0."""
        return self.axis % len(self.shape)

    @property
    def classes(self) -> int:
        """C."""
        return self.shape[self.class_axis]

    @property
    def positions(self) -> int:
        """N: all elements but for the class axis."""
        return self.elements // self.classes

    @property
    def elements(self) -> int:
        """N·C."""
        return math.prod(self.shape)

    @property
    def call(self) -> tuple[object, ...]:
        """What makes the calls of two workloads the same to a compiler: all but the values and the name."""
        options = (self.weight, self.ignored > 0, self.label_smoothing, self.reduction)
        return (self.shape, self.axis, self.dtype, self.targets, *options)

    @property
    def logits_bytes(self) -> int:
        """What the logits occupy."""
        return self.elements * BYTES[self.dtype]

    def floor_bytes(self, contract: Contract) -> int:
        """The least traffic: logits (and probability targets) read once, the gradient written once."""
        read = self.logits_bytes * (2 if self.targets == "probabilities" else 1)
        return read + (self.logits_bytes if contract == "forward+grad" else 0)


class Series(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Workloads of two dimensions that differ in one extent: the points of a scaling curve.

    Over ``classes`` the product N·C stays ``elements``; over ``positions`` the number of classes stays ``classes``.
    """

    id: Annotated[Identifier, _described("The curve's name, and the start of its points' ids.")]
    why: Annotated[Text, _described("What the curve shows.")]
    over: Annotated[
        Literal["classes", "positions"],
        _described(
            "The extent that varies: `classes` with as many logits throughout, or `positions` of as many classes."
        ),
    ]
    extents: Annotated[tuple[Positive, ...], _described("The values of that extent.", min_length=2, max_length=20)]
    elements: Annotated[
        Positive | None, _described("Over classes: the number of logits, a multiple of every extent.")
    ] = None
    classes: Annotated[Positive | None, _described("Over positions: the number of classes.")] = None
    dtype: Annotated[DtypeName, _described("The dtype of the logits.")] = "float32"
    contracts: Annotated[tuple[Contract, ...], _described("What is asked of each call.")] = ("forward+grad",)
    quick: Annotated[bool, _described("Whether `conformance bench --quick` times it.")] = False

    def workloads(self) -> list[Workload]:
        """The points; their ids end in their shapes."""
        return [self._point(extent) for extent in self.extents]

    def _point(self, extent: int) -> Workload:
        shape = (extent, self.classes or 1)
        if self.over == "classes":
            shape = (max(1, (self.elements or extent) // extent), extent)
        return Workload(
            id=f"{self.id}-{shape[0]}x{shape[1]}",
            why=self.why,
            shape=shape,
            dtype=self.dtype,
            contracts=self.contracts,
            quick=self.quick,
            series=self.id,
            over=self.over,
        )


class WorkloadFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of workloads, of series, or of both."""

    why: Annotated[Text | None, _described("What the workloads of this file are about.")] = None
    workloads: Annotated[tuple[Written, ...], _described("Single workloads, each a mapping.")] = ()
    series: Annotated[tuple[Series, ...], _described("Curves: workloads that differ in one extent.")] = ()


def expanded(content: WorkloadFile) -> list[Workload]:
    """The workloads of a file, and the points of its series, in their order."""
    written = [Workload(**msgspec.structs.asdict(each)) for each in content.workloads]
    return [*written, *(point for series in content.series for point in series.workloads())]

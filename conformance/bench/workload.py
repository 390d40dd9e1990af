"""The model of a workload: what is timed. ``cases/benchmarks/schema.json`` is generated from these classes."""

from __future__ import annotations

import math
from typing import Annotated, Literal

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
Extents = Annotated[tuple[Positive, ...], msgspec.Meta(min_length=1, max_length=5)]
Share = Annotated[float, msgspec.Meta(ge=0.0, le=0.99)]


class Written(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One call of cross_entropy, as a user of a framework makes it, and the contracts under which it is timed.

    The logits are seeded, normal, of standard deviation ``scale``; the labels uniform; a share ``ignored`` of the
    positions has label −100, stated as ``ignore_index``; ``weight`` gives every class a weight in [0.5, 1.5).
    """

    id: Identifier
    why: Text
    shape: Extents
    axis: int = 1
    dtype: DtypeName = "float32"
    targets: Literal["indices", "probabilities"] = "indices"
    weight: bool = False
    ignored: Share = 0.0
    label_smoothing: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 0.0
    reduction: Literal["none", "sum", "mean"] = "mean"
    scale: Annotated[float, msgspec.Meta(gt=0.0, le=1e4)] = 3.0
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] = 0
    contracts: tuple[Contract, ...] = ("forward", "forward+grad")
    caches: tuple[Cache, ...] = ("warm",)
    quick: bool = False


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

    id: Identifier
    why: Text
    over: Literal["classes", "positions"]
    extents: Annotated[tuple[Positive, ...], msgspec.Meta(min_length=2, max_length=20)]
    elements: Positive | None = None
    classes: Positive | None = None
    dtype: DtypeName = "float32"
    contracts: tuple[Contract, ...] = ("forward+grad",)
    quick: bool = False

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

    why: Text | None = None
    workloads: tuple[Written, ...] = ()
    series: tuple[Series, ...] = ()


def expanded(content: WorkloadFile) -> list[Workload]:
    """The workloads of a file, and the points of its series, in their order."""
    written = [Workload(**msgspec.structs.asdict(each)) for each in content.workloads]
    return [*written, *(point for series in content.series for point in series.workloads())]

"""Writes vectors: a JSON file for each theme, its tensors beside it, and an index of all."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from conformance import __version__
from conformance.cases.checks import elements_of
from conformance.cases.load import Entry
from conformance.cases.resolve import Resolution
from conformance.disk import disk_errors, write
from conformance.judge.judge import normative_truths
from conformance.judge.prepared import Prepared
from conformance.model.classes import letters
from conformance.model.errors import Place, UsageError
from conformance.model.policies import NORMATIVE, choice_in
from conformance.model.problem import Array, Problem
from conformance.model.quantities import OF_LOGITS, Quantity
from conformance.oracle.block import from_rows
from conformance.run.chunk import chunk_of
from conformance.run.shards import case_digests
from conformance.vectors.calls import VectorCall, calls, dtypes_of, narrowed, plan, portable
from conformance.vectors.document import (
    INDEX,
    Alternative,
    Expected,
    Index,
    LeftOut,
    Theme,
    Vector,
    read_index,
)
from conformance.vectors.raw import index_text
from conformance.vectors.tensors import ENDINGS, Store, TensorFormat

__all__ = ["Exported", "export_vectors"]

#: An index may be a stranger's: it names nothing of other folders.
_OF_THEME = re.compile(r"[a-z0-9.-]+\.json")


@dataclass(frozen=True)
class Exported:
    """What was written: the index, and how many bytes lie in all files."""

    index: Index
    size: int


def export_vectors(
    entries: Sequence[Entry],
    folder: Path,
    *,
    dtypes: Collection[str] | None = None,
    tensors: TensorFormat = "npz",
    inline: int = 64,
    most: int = 1 << 14,
    progress: Callable[[str, int], None] = lambda theme, count: None,
) -> Exported:
    """Write the vectors of ``entries``, in all of their dtypes or those of ``dtypes``, into ``folder``.

    Cases with more than ``most`` numbers are left out, and named. ``progress`` is called with each theme and the number
    of its vectors. What an earlier export has written there is removed before, so that no file is left of it, and until
    all is written there is no index. Raises UsageError for a theme whose file would be the index, HarnessError where
    the disk refuses.
    """
    asked = narrowed(entries, None if dtypes is None else {entry.case.id: dtypes for entry in entries})
    kept = [entry for entry in asked if elements_of(entry.case) <= most]
    left = [
        LeftOut(case=entry.case.id, dtype=dtype, reason=f"holds more than {most} numbers")
        for entry in asked
        if elements_of(entry.case) > most
        for dtype in entry.case.dtypes
    ]
    for entry in kept:
        if f"{entry.theme}.json" == INDEX:
            raise UsageError(f"a theme called {entry.theme}", place=Place(entry.file), hint="call it something else")
    _remove_former(folder)
    themes: dict[str, int] = {}
    size = 0
    exporter = _Exporter(left, {entry.case.id: list(entry.case.layouts) for entry in entries})
    for theme, some in groupby(kept, key=lambda entry: entry.theme):
        store = Store(tensors, inline)
        vectors = list(exporter.vectors(list(some), store))
        if not vectors:
            continue
        name = store.write(folder / theme)
        if tensors == "raw":
            size += _size(write(folder / f"{theme}.txt", index_text(vectors)))
        document = Theme(suite=__version__, theme=theme, tensors=name, vectors=vectors)
        size += _size(write(folder / f"{theme}.json", _lines(document)))
        size += _size(folder / name) if name else 0
        themes[f"{theme}.json"] = len(vectors)
        progress(theme, len(vectors))
    index = Index(
        suite=__version__,
        tensors=tensors,
        themes=themes,
        cases=dtypes_of(kept),
        digests=sorted(case_digests(kept).values()),
        left_out=left,
    )
    size += _size(write(folder / INDEX, msgspec.json.format(msgspec.json.encode(index), indent=1)))
    return Exported(index, size)


def _remove_former(folder: Path) -> None:
    """Remove the index of an earlier export, then the files of its themes; whatever else is there stays.

    Raises UsageError where what has the name of the index is none.
    """
    path = folder / INDEX
    if not path.exists():
        return
    try:
        former = read_index(path).themes
    except UsageError as error:
        raise UsageError(error.problem, place=error.place, hint="name another folder, or remove it") from None
    with disk_errors(path, "removed"):
        path.unlink()
        for theme in (name.removesuffix(".json") for name in former if _OF_THEME.fullmatch(name)):
            for ending in (".json", ".txt", *filter(None, ENDINGS.values())):
                (folder / f"{theme}{ending}").unlink(missing_ok=True)


def _lines(document: Theme) -> bytes:
    """The document with each vector on a line of its own, to be read by people and cut by tools."""
    head = msgspec.json.encode(msgspec.structs.replace(document, vectors=[])).removesuffix(b"[]}")
    return head + b"[\n" + b",\n".join(map(msgspec.json.encode, document.vectors)) + b"\n]}\n"


def _size(path: Path) -> int:
    return path.stat().st_size


class _Exporter:
    """Makes vectors; what cannot be one is added to ``left``."""

    def __init__(self, left: list[LeftOut], layouts: Mapping[str, Sequence[str]]) -> None:
        self.left, self._layouts = left, layouts
        self._truths = normative_truths()

    def vectors(self, entries: Sequence[Entry], store: Store) -> Iterator[Vector]:
        """The vectors of some cases, in their order."""
        work = plan(entries)
        for portion in work.portions:
            chunk = chunk_of(portion)
            for skip in chunk.skips:
                self.left.append(LeftOut(case=skip.entry.case.id, dtype=skip.dtype, reason=skip.reason))
            for unit in chunk.units:
                if reason := portable(unit.problem):
                    self.left.append(LeftOut(case=unit.problem.case.id, dtype=unit.problem.dtype, reason=reason))
            for call in calls(chunk):
                yield self._vector(call, dict(chunk.requests[call.place].options), store)

    def _vector(self, call: VectorCall, options: dict[str, Any], store: Store) -> Vector:
        problem, case = call.unit.problem, call.unit.problem.case
        resolution = call.unit.resolution
        answer = "error" if resolution.must_raise else "open" if resolution.undefined else "value"
        expected = {}
        if call.prepared is not None:
            expected = self._expected(call.prepared, call.index, call.reduction, call.asks, resolution.problem, store)
        return Vector(
            id=call.id,
            case=case.id,
            why=case.why,
            op=problem.operation,
            reduction=call.reduction,  # type: ignore[arg-type]
            dtype=problem.dtype,
            asks=list(call.asks),
            axis=options["axis"],
            ignore_index=options.get("ignore_index"),
            label_smoothing=options.get("label_smoothing"),
            transform=call.transform or None,  # type: ignore[arg-type]
            inputs={name: store.put(each) for name, each in _inputs(call).items()},
            answer=answer,  # type: ignore[arg-type]
            error=resolution.must_raise,
            expected=expected,
            policies=list(self._alternatives(call, expected, store)) if not call.transform else [],
            requires=list(case.requires),
            flags=list(case.flags),
            references=list(case.references),
            layouts=list(self._layouts[case.id]),
        )

    def _expected(
        self, prepared: Prepared, index: int, reduction: str, asks: Sequence[Quantity], problem: Problem, store: Store
    ) -> dict[str, Expected]:
        """The exact results and bounds of problem ``index`` of a block."""
        found: dict[str, Expected] = {}
        for quantity in asks:
            segments = prepared.segments(quantity, reduction)
            start = int(segments.starts[index])
            here = slice(start, start + int(segments.counts[index]))
            exact = prepared.sharpest(quantity, reduction, here)
            judged = prepared.judged(quantity, reduction)
            asked = np.ones(len(exact.mid), dtype=np.bool_) if judged is None else judged[here]
            bounds = {}
            for letter in letters(prepared.dtype_of(quantity)):
                bound = np.where(asked, prepared.tolerance(quantity, reduction, letter)[here], np.inf)
                bounds[letter] = store.put(_shaped(bound, problem, prepared.named(reduction), quantity))
            found[quantity] = Expected(
                exact=store.put(_shaped(exact.mid, problem, prepared.named(reduction), quantity)),
                bounds=bounds,
                radius=float(exact.rad.max(initial=0.0)),
            )
        return found

    def _alternatives(self, call: VectorCall, expected: dict[str, Expected], store: Store) -> Iterator[Alternative]:
        """What the other values of the policies that the case observes make of the call."""
        problem = call.unit.problem
        for name in problem.case.policies:
            choice = choice_in(name, problem, NORMATIVE)
            for value in () if choice is None else choice.values:
                assert choice is not None
                policies = choice.with_value(NORMATIVE, value)
                resolution, prepared = self._truths.of(call.unit, policies)
                yield Alternative(
                    policy=choice.label,
                    value=str(value),
                    **self._under(call, resolution, prepared, expected, store),
                )

    def _under(
        self,
        call: VectorCall,
        resolution: Resolution,
        prepared: Prepared | None,
        expected: dict[str, Expected],
        store: Store,
    ) -> dict[str, Any]:
        if resolution.undefined:
            return {"answer": "open"}
        if prepared is None or prepared.mean_raises(call.reduction):
            return {"answer": "error"}
        problem, asks = resolution.problem, call.asks
        named = prepared.named(call.reduction)
        given = problem.upstream.get(named)  # type: ignore[call-overload]
        if given is None or given.shape != problem.value_shape(named):  # along another axis of classes
            asks = ("value",)
        mine = self._expected(prepared, 0, call.reduction, asks, problem, store)
        return {"answer": "same"} if mine == expected else {"answer": "value", "expected": mine}


def _inputs(call: VectorCall) -> dict[str, Array]:
    """The operands, by name; those that the call does not need are left out."""
    problem, found = call.unit.problem, {"logits": call.unit.problem.logits}
    if problem.takes_targets:
        found["targets"] = np.asarray(problem.targets)
    for name, operand in (("weight", problem.weight), ("where", problem.where)):
        if operand is not None:
            found[name] = operand
    if {"gradient", "hvp", "target_gradient"} & {*call.asks} and call.reduction in problem.upstream:
        found["upstream"] = problem.upstream[call.reduction]
    if call.transform in ("forward-mode", "second-order") and problem.tangent is not None:
        found["tangent"] = problem.tangent
    return found


def _shaped(flat: Array, problem: Problem, reduction: str, quantity: Quantity) -> Array:
    """Numbers in row order in the shape of the result."""
    if quantity in OF_LOGITS or not problem.takes_targets:
        return from_rows(flat, problem.logits.shape, problem.class_axis or 0)
    return flat.reshape(problem.value_shape(reduction))

"""From a kernel's results to a run's file: the judge of ``conformance run``, over calls that were made elsewhere."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from conformance.cases.load import Entry
from conformance.cases.resolve import resolve
from conformance.model.case import OPERATIONS
from conformance.model.errors import Place, UsageError
from conformance.model.outcome import Outcome
from conformance.model.policies import NORMATIVE, Policies
from conformance.model.problem import Array, Problem
from conformance.model.quantities import OF_LOGITS, Quantity
from conformance.model.records import Footer, Header, Selection
from conformance.numerics.formats import round_to
from conformance.places import PROFILES
from conformance.results.environment import origin
from conformance.results.store import Writer, discard
from conformance.run.chunk import Chunk, chunk_of
from conformance.run.judged import OpenBackend
from conformance.run.launch import exit_code
from conformance.run.shards import case_digests
from conformance.vectors.calls import VectorCall, calls, narrowed, plan
from conformance.vectors.document import read_index
from conformance.vectors.results import Numbers, VectorResult, read_results
from conformance.worker.exchange import Description, Failure, Observation, Request

__all__ = ["JudgedVectors", "judge_vectors"]

#: What cannot be known of a call that was made elsewhere.
_UNSEEN = frozenset({"unmodified", "repeatable", "warning", "process"})
LONGEST_NAME = 200
_NO_RESULT = Failure("not run", "", "no result for this vector")
_NO_VECTOR = Failure("not run", "", "no vector asks for this call")


@dataclass(frozen=True)
class JudgedVectors:
    """How it went: vectors that had a result, and all of them; what the command exits with.

    Where nothing is wrong, and results are missing without a word, that is 3: what was not judged has not passed.
    """

    folder: Path
    given: int
    vectors: int
    counts: dict[str, int]
    exit_code: int


def judge_vectors(
    results: Path,
    vectors: Path,
    entries: Sequence[Entry],
    *,
    name: str,
    profile: str | None = None,
    folder: Path,
    replace: bool = False,
) -> JudgedVectors:
    """Judge the lines of ``results`` as those of a backend called ``name``; ``entries`` hold the vectors' cases.

    ``profile`` names one of the suite's, or a file of the user's own. Writes a run into ``folder``. Raises UsageError
    for results or vectors that cannot be read, or that are of other cases.
    """
    begin = time.perf_counter()
    if not name.strip() or len(name) > LONGEST_NAME:
        raise UsageError("a kernel needs a name", hint=f"give --name 1 to {LONGEST_NAME} characters")
    index = read_index(vectors)
    kept = narrowed(entries, index.cases)
    if sorted(case_digests(kept).values()) != index.digests:
        hint = "export them again, or name the cases they were exported from by --cases"
        raise UsageError("the vectors are of other cases than these", place=Place(vectors), hint=hint)
    work = plan(kept)
    ids = {call.id: call.asks for portion in work.portions for call in calls(chunk_of(portion))}
    read = read_results(results, ids)
    named, own = _profile(profile)
    session = _Recorded(Description(name, "", {}, "", profile=named, foreign=OPERATIONS), read)
    opened = OpenBackend(session, name, profile=own)
    session.policies = opened.subject.profile.resolved_policies()
    header = Header(
        **origin(),
        selection=dict(msgspec.to_builtins(Selection(backends=(name,), identities=False))),
        case_files=case_digests(kept),
    )
    if replace:
        discard(folder)
    with Writer(folder, header) as writer:
        writer.describe(opened.record)
        for portion in work.portions:
            chunk = session.chunk = chunk_of(opened.asked(portion))
            writer.write(_known(opened.judge_chunk(chunk).outcomes))
        writer.finish(Footer(seconds=time.perf_counter() - begin, complete=True))
    counts = dict(writer.counts)
    lacking = any(_lacks(read.get(id_), asks) for id_, asks in ids.items())
    return JudgedVectors(folder, len(read), len(ids), counts, exit_code(counts, ()) or (3 if lacking else 0))


def _lacks(result: VectorResult | None, asks: Collection[str]) -> bool:
    """Whether something that a vector asks for is missing without a word, as where a file was cut."""
    if result is None:
        return True
    return result.error is None and result.unsupported is None and not result.found.keys() >= {*asks}


def _profile(given: str | None) -> tuple[str, Path | None]:
    """A profile's name, empty for none, or the user's own file. Raises UsageError for what is neither."""
    names = sorted(file.stem for file in PROFILES.glob("*.yaml"))
    if given is None or given in names:
        return given or "", None
    path = Path(given)
    if path.suffix not in (".yaml", ".yml"):
        hint = f"name one of {', '.join(names)}, or a file NAME.profile.yaml"
        raise UsageError(f"there is no profile {given!r}", hint=hint)
    return "", path


def _known(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """The outcomes of checks that a result alone decides."""
    return [each for each in outcomes if each.check not in _UNSEEN]


class _Recorded:
    """A session of a backend whose calls were made before: it looks up what came of those of ``chunk``.

    Results have the shapes and dtypes that ``policies`` give them where none is stated.
    """

    def __init__(self, description: Description, results: Mapping[str, VectorResult]) -> None:
        self.chunk: Chunk | None = None
        self.policies = NORMATIVE
        self._description, self._results = description, results

    def describe(self) -> Description:
        """What the user says of the kernel."""
        return self._description

    def run(self, requests: Sequence[Request]) -> list[Observation]:
        """What was given for each call of ``chunk``."""
        assert self.chunk is not None
        found = [Observation(request.key, failure=_NO_VECTOR) for request in requests]
        for call in calls(self.chunk):
            key, result = requests[call.place].key, self._results.get(call.id)
            found[call.place] = (
                Observation(key, failure=_NO_RESULT)
                if result is None
                else _observation(call, key, result, self.policies)
            )
        return found

    def close(self) -> None:
        """Nothing is open."""


def _observation(call: VectorCall, key: int, result: VectorResult, policies: Policies) -> Observation:
    """One call as the judge sees it."""
    problem = resolve(call.unit.problem, policies).problem
    reduction = policies.default_reduction if call.reduction == "default" else call.reduction
    arrays = {name: _array(problem, reduction, name, numbers) for name, numbers in result.found.items()}
    lacking = next((name for name in call.asks if name not in arrays), "")
    if result.error is not None:
        failure = Failure("raised", "error", result.error)
    elif result.unsupported is not None:
        failure = Failure("unsupported", "Unsupported", result.unsupported)
    else:
        failure = Failure("not run", "", f"no {lacking} for this vector")
    if lacking == call.asks[0]:
        return Observation(key, failure=failure)
    derivative = next((array for name, array in arrays.items() if name not in ("value", "gradient")), None)
    return Observation(
        key,
        value=arrays.get("value"),
        gradient=arrays.get("gradient"),
        gradient_failure=failure if lacking == "gradient" else None,
        derivative=derivative,
    )


def _array(problem: Problem, reduction: str, name: Quantity, numbers: Numbers) -> Array:
    """Numbers rounded to the result's dtype, in its shape where they are as many and no other is stated."""
    flat, stated = numbers
    shape, dtype = problem.logits.shape, problem.dtype
    if name not in OF_LOGITS:
        shape, dtype = problem.value_shape(reduction), problem.value_dtype or dtype
    if not stated and flat.size == math.prod(shape):
        flat = flat.reshape(shape)
    return round_to(flat, dtype)

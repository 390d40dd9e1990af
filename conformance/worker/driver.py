"""The driver's side of the border: it lays out the inputs, sends the calls, and finds out by itself what came of them.

Whether inputs were modified, whether a call repeats its bits, and whether an earlier result was overwritten is compared
here, on the driver's own memory; a backend's process only makes calls.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

import msgspec
import numpy as np

from conformance.worker import wire
from conformance.worker.earlier import SPAN, EarlierResults, to_read
from conformance.worker.exchange import Failure, Observation, Request
from conformance.worker.memory import Placed, Region, place, room_for
from conformance.worker.reply import (
    Died,
    Reply,
    SentRequest,
    add_end,
    add_repetition,
    check,
    differs,
    ends_alike,
    mode_of,
    note_end,
    observation_of,
)

__all__ = ["EARLIER", "Driver"]

EARLIER = "the result of an earlier call"  # beside the names of inputs, where a call has modified that
BATCH = 256  # calls in a batch at most
BATCH_BYTES = 4 << 20  # unless one call alone needs more
SUSPECTS = 256  # calls that are made alone, to find which of them has ended the process, at most
REGIONS = SPAN + 2  # in rotation: a result that lies in its own input must not change before it is read once more


class Overwritten(Exception):
    """Inputs of several calls of a batch were changed: who changed whose is seen when each call is made alone."""


class Driver:
    """Turns requests into observations; ``compiles`` is what the backend says of itself.

    One after the other: a batch is sent, answered, and looked at before the next. Of a batch that kills the backend, or
    in which several calls' inputs are changed, every call is tried alone, so that the culprit's observation says what
    happened, and no other request is touched.
    """

    def __init__(self, *, shared: bool) -> None:
        self.regions = [Region(shared=shared) for _ in range(REGIONS)]
        self.compiles = False
        self._turn = 0
        self._earlier = EarlierResults()
        self._unused = True  # the backend has been sent no call
        self._generation = 0  # of the backend: it is another one in place of one that has died, or was given up
        self._found: list[Reply] = []  # of the last run, by place
        self._repeated: list[Reply] = []  # of the same calls, where they were made once more
        self._suspects: dict[int, Reply] = {}  # of the last run, by place, those that the present process has given
        self._ended = False  # whether it has ended behind the last run

    # -- what a kind of driver does in its own way --------------------------------------------------------------------

    def _perform(self, batch: wire.BatchOrder, region: Region) -> Iterator[wire.Answer]:
        """An answer to each call, in order. Raises Died."""
        raise NotImplementedError

    def _replace(self) -> None:
        """The backend has died: make room for a new one."""

    def _ensure(self) -> Failure | None:
        """Have a backend to send to, or say why there is none."""
        return None

    def _left(self) -> tuple[str, ...]:
        """What the last batch has changed of the backend's global state, as far as something is done about it."""
        return ()

    def _renew(self) -> None:
        """Give up the backend: another one, whose global state is as it was at first, is to come in its place."""

    def _settled(self, *, alone: bool) -> Failure | None:
        """What the backend has done since its last answer that no backend may do: end, or answer once more.

        After a call that was made ``alone`` it is to show that it still answers.
        """
        return None

    @property
    def _worth_asking(self) -> bool:
        """Whether calls are made again to find out which of them has ended the backend."""
        return True

    def _watchdog(self, *, alone: bool) -> float:
        return 0.0

    # -- observing ----------------------------------------------------------------------------------------------------

    def run(self, requests: Iterable[Request]) -> list[Observation]:
        """One observation for each request, in their order."""
        self._finish()
        sent = map(self._first, requests)
        asked = [SentRequest(place, request, room_for(request)) for place, request in enumerate(sent)]
        self._found = list(self._answered(asked))
        again = [repeated for each in reversed(self._found) if (repeated := self._again(each)) is not None]
        self._repeated = list(self._answered(again))
        for each in self._repeated:
            add_repetition(self._found[each.asked.place], each)
            each.answer = None
        return self._observations()

    def aside(self, requests: Iterable[Request]) -> list[Observation]:
        """The same, beside the last run, whose observations can still be revised."""
        self._look_for_end()
        kept, suspects, generation = (self._found, self._repeated, self._ended), self._suspects, self._generation
        try:
            return self.run(requests)
        finally:
            self._found, self._repeated, self._ended = kept
            self._suspects = suspects if generation == self._generation else {}

    def revised(self) -> list[Observation] | None:
        """The observations of the last run, where the backend has ended behind them; None where it has not."""
        self._look_for_end()
        return self._observations() if self._ended else None

    def _look_for_end(self) -> None:
        """Put on record whether the backend has ended behind the last run."""
        if self._suspects and (end := self._settled(alone=False)) is not None:
            suspects = self._lost()
            self._blame(end, suspects, suspects[-1])
            self._ended = True

    def _finish(self) -> None:
        """Let go of the last run's replies: they are not revised any more."""
        self._found, self._repeated, self._suspects, self._ended = [], [], {}, False

    def _observations(self) -> list[Observation]:
        for each in self._repeated:
            add_end(self._found[each.asked.place], each)
        return list(map(observation_of, self._found))

    def _first(self, request: Request) -> Request:
        if request.upstream is not None and request.only_value and not self.compiles:
            return msgspec.structs.replace(request, upstream=None)
        return request

    def _again(self, seen: Reply) -> SentRequest | None:
        """The call once more, on inputs of its own: of value and gradient only where one function gives both."""
        request, answer = seen.asked.request, seen.answer
        if not request.repeat or answer is None or answer.failure is not None or not answer.results:
            return None
        if not request.transform and not (self.compiles and "gradient" in answer.results):
            request = msgspec.structs.replace(request, upstream=None)
        return SentRequest(seen.asked.place, request, seen.asked.room)

    def _answered(self, asked: Sequence[SentRequest]) -> Iterator[Reply]:
        for batch in _batches(asked):
            for each in self._asked(batch):
                each.mode = mode_of(each, compiles=self.compiles)
                yield each

    def _alone(self, asked: SentRequest) -> Reply:
        (answered,) = self._asked([asked])
        return answered

    def _asked(self, batch: Sequence[SentRequest]) -> list[Reply]:
        """The replies to a batch.

        An end that shows before the batch is sent is one behind the answers before it, if there are any.
        """
        early: Failure | None = None
        while True:
            try:
                answered = self._tried(batch)
            except Died as death:
                if suspects := self._lost():
                    self._blame(death.failure, suspects, suspects[-1])
                else:
                    early = early or death.failure
            else:
                if early is not None:
                    note_end(early, answered[0])
                return answered

    def _tried(self, batch: Sequence[SentRequest], *, read_all: bool = False) -> list[Reply]:
        """The replies to a batch; each of its calls is made by itself where they end the process, or leave it changed.

        Raises Died where the process has ended before it was sent the batch.
        """
        if (gone := self._ensure()) is not None:
            return [Reply(each, failure=gone) for each in batch]
        first, alone = self._unused, len(batch) == 1
        try:
            answered = self._sent(batch, alone=alone, read_all=read_all)
            if not self._unused and (end := self._settled(alone=alone)) is not None:
                raise Died(end, at=len(batch) - 1)
        except Overwritten:
            return [self._alone(each) for each in batch]
        except Died as death:
            if death.before:
                raise
            return self._apart(batch, death, first=first)
        shown_at = next((number for number, each in enumerate(answered) if EARLIER in each.modified), None)
        if shown_at is not None and not alone and not read_all:
            return self._attributed(batch, answered, shown_at)
        answered[0].first = first
        for each in answered:
            place = each.asked.place
            self._suspects[place] = self._suspects.pop(place, each)  # the last call last
        return self._restored(batch, answered)

    def _attributed(self, batch: Sequence[SentRequest], answered: Sequence[Reply], shown_at: int) -> list[Reply]:
        """The replies to a batch that is sent once more, to see which of its calls changes an earlier result.

        A call that changes nothing but results of the first sending is to blame only where no other call is: its own
        first result is in a buffer that all of them use. Where none changes any again, it is put down to the call
        behind which that was shown, the one at ``shown_at``.
        """
        first_sent = {each.answer.nonce for each in answered if each.answer is not None}
        try:
            again = self._tried(batch, read_all=True)
        except Died as death:  # behind the answers to the first sending
            death.at = len(batch) - 1
            again = self._apart(batch, death, first=False)
        found = [each for each in again if EARLIER in each.modified]
        if not found:
            again[shown_at].modified.append(EARLIER)
        innocent = [each for each in found if first_sent.issuperset(each.overwritten)]
        if len(innocent) < len(found):
            for each in innocent:
                each.modified.remove(EARLIER)
        return again

    def _apart(self, batch: Sequence[SentRequest], death: Died, *, first: bool) -> list[Reply]:
        """The replies to a batch that has ended the process: each call is made by itself, unless it was alone.

        Where none of them ends it again, nor any that it had answered before, that is noted of the first that leaves
        the process changed, or else of the one that was under way.
        """
        suspects = self._lost()
        if len(batch) == 1:
            return [Reply(batch[0], failure=death.failure, first=first)]
        answered = [self._alone(each) for each in batch]
        if not any(ends_alike(death.failure, each) for each in answered):
            changed = (each for each in answered if each.left)
            self._blame(death.failure, suspects, next(changed, answered[death.at]))
        return answered

    def _restored(self, batch: Sequence[SentRequest], answered: list[Reply]) -> list[Reply]:
        """The replies to a batch; where it leaves the process changed, that is given up, and each call made alone."""
        left = self._left()
        if not left:
            return answered
        self.renew()
        if len(batch) > 1:
            answered = [self._alone(each) for each in batch]
        if not any(each.left for each in answered):
            answered[0].left = left
        return answered

    def _blame(self, end: Failure, suspects: Sequence[Reply], otherwise: Reply) -> None:
        """Put the process's end on record: a failure of the suspect that ends it again, alone, or else noted.

        The last ones are asked first, and not all of many.
        """
        for each in [*reversed(suspects)][:SUSPECTS] if self._worth_asking else ():
            again = self._alone(each.asked)
            if each.asked.place in self._suspects:
                self._suspects[each.asked.place] = each  # it is what is observed, and not this trial
            if again.failure is not None and again.failure.kind == "not run":
                break  # there is none to ask: what was observed of it stands
            if ends_alike(end, again):
                each.failure, each.first = again.failure, again.first
                return
        note_end(end, otherwise)

    def _lost(self) -> list[Reply]:
        """Have a new process come in the place of one that has ended; the replies that it had given in this run."""
        suspects = [*self._suspects.values()]
        self._forget_all()
        self._replace()
        return suspects

    def renew(self) -> None:
        """Make the next call on a backend that nothing was asked of, as far as there is one."""
        if self._unused:
            return
        self._forget_all()
        self._renew()

    def _forget_all(self) -> None:
        self._suspects, self._unused = {}, True
        self._generation += 1
        self._earlier.clear()

    def _sent(self, batch: Sequence[SentRequest], *, alone: bool, read_all: bool) -> list[Reply]:
        """The replies to a batch.

        Each result is read again before it is no longer kept, and behind the last call; or, where ``read_all``, behind
        each call for as long as it is kept.
        """
        self._turn = (self._turn + 1) % REGIONS
        region = self.regions[self._turn]
        region.begin(sum(each.room for each in batch))
        found = [Reply(each) for each in batch]
        placed: list[tuple[Reply, Placed]] = []
        made = self._earlier.begin_batch()
        for seen, nonce in zip(found, _nonces(len(found)), strict=True):
            try:
                earlier = to_read(made, read_all=read_all or seen is found[-1])
                placed.append((seen, place(region, seen.asked.request, nonce, earlier)))
            except ValueError as error:
                seen.failure = Failure("adapter", type(error).__name__, str(error))
                continue
            if seen.asked.request.spacing == 1:  # the others are not read again
                made.append(nonce)
        if not placed:
            return found
        self._unused = False
        before = region.memory[: region.used]
        size = len(region.memory)
        order = wire.BatchOrder(
            _nonces(1)[0], self._turn, size, [each.call for _, each in placed], self._watchdog(alone=alone)
        )
        answers = self._perform(order, region)
        try:
            for seen, each in placed:
                check(answer := next(answers), each.call.nonce)
                seen.answer = answer
                self._look(seen, each)
            for _ in answers:  # nothing: whoever performs has then seen to it that nothing more comes
                pass
        except Died as death:
            left = [seen for seen, _ in placed if seen.answer is None] or found[-1:]
            under_way = placed[region.begun - 1][0] if 0 < region.begun <= len(placed) else left[0]
            death.at = found.index(under_way if under_way in left else left[0])
            raise
        if region.memory[: region.used] != before:
            changed = 0
            for seen, each in placed:
                names = [name for name, (a, b) in each.spans.items() if region.memory[a:b] != before[a:b]]
                changed += bool(names)
                seen.modified += (name for name in names if name not in seen.modified)
            if changed > 1:
                raise Overwritten
        for seen, each in placed:
            if seen.modified:
                seen.modified.sort(key=lambda name: (*each.spans, *each.plain, EARLIER).index(name))
        return found

    def _look(self, seen: Reply, placed: Placed) -> None:
        """What the backend's copies of the inputs and the earlier results show."""
        answer = seen.answer
        assert answer is not None
        for name, copy in answer.inputs.items():
            if name in placed.plain:
                if copy != placed.plain[name]:
                    seen.modified.append(name)
            elif name in placed.spans and (not isinstance(copy, wire.Result) or differs(copy, seen, name)):
                seen.modified.append(name)
        for nonce, now in zip(placed.call.earlier, answer.earlier, strict=False):
            if self._earlier.overwritten(nonce, now):
                seen.overwritten += (nonce,)
        if seen.overwritten:
            seen.modified.append(EARLIER)
        if placed.call.spacing == 1:
            self._earlier.add(answer.nonce, answer.results)

    def forget(self, above: int) -> None:
        """Do not read results of more than so many elements again."""
        self._earlier.forget(above)

    def close(self) -> None:
        """Give the memory back."""
        self._finish()
        self._earlier.clear()
        for each in self.regions:
            each.close()


def _nonces(count: int) -> list[int]:
    """Odd numbers that nobody can guess."""
    nonces: list[int] = (np.frombuffer(os.urandom(8 * count), np.uint64) | np.uint64(1)).tolist()
    return nonces


def _batches(asked: Sequence[SentRequest]) -> Iterator[Sequence[SentRequest]]:
    batch: list[SentRequest] = []
    size = 0
    for each in asked:
        batch.append(each)
        size += each.room
        if len(batch) >= BATCH or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch

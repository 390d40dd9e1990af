"""The harness against the frameworks' own timers, in one process: ``python -m tests.selfcheck.agreement``.

PyTorch is timed by ``torch.utils.benchmark``, JAX by ``timeit`` around a jitted function and ``block_until_ready``,
both on the code that their users write. Ours and theirs take turns, so that a machine that grows slower does so for
both; the ratio is the median over the turns. Workloads below a millisecond are shown and not held to the limit.

The C library's allocator is set to keep what is freed. By default it gives the top of the heap back to the system, or
not, by what else happens to lie there; one and the same callable then differs by a quarter between two callers, since
the pages are touched for the first time again. What is compared here is clocks.

Exits with 1 where the median of the workloads is beyond the limit, and names each workload that is.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import timeit
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conformance.bench.orders import Event, Orders
    from conformance.bench.session import BenchSession

LIMIT = 0.03
LEAST_SECONDS = 1e-3
TURNS = 9
SECONDS = 0.3  # of theirs, a turn
WORKLOADS = ("classification-4096x1000", "lm-head-512x32000", "segmentation-8x21x128x128")
CONTRACTS = ("forward", "forward+grad")
#: Workload and contract to a pair of medians a turn: ours and theirs.
Turns = dict[tuple[str, str], list[tuple[float, float]]]
KEEP_MEMORY = {"MALLOC_TRIM_THRESHOLD_": str(1 << 34), "MALLOC_MMAP_THRESHOLD_": str(32 << 20)}


def torch_timer(bound: Any, threads: int) -> Callable[[int], list[float]]:
    """Per-call seconds by ``torch.utils.benchmark.Timer``."""
    import torch.nn.functional as F  # noqa: N812
    from torch.utils.benchmark import Timer

    names = {"F": F, "x": bound.logits.detach(), "y": bound.call.operands["targets"]}
    statement = "F.cross_entropy(x, y)"
    if bound.contract == "forward+grad":
        import torch

        names |= {"torch": torch, "x": bound.logits.detach().requires_grad_()}
        statement = "torch.autograd.grad(F.cross_entropy(x, y), x)"
    timer = Timer(statement, globals=names, num_threads=threads)
    return lambda rounds: [timer.timeit(1).times[0] for _ in range(rounds)]


def jax_timer(bound: Any, threads: int) -> Callable[[int], list[float]]:
    """Per-call seconds by ``timeit``, each until its results are there."""
    import jax
    import jax.numpy as jnp

    axis = dict(bound.call.options)["axis"]

    def loss(x: Any, y: Any) -> Any:
        picked = jnp.take_along_axis(jax.nn.log_softmax(x, axis=axis), jnp.expand_dims(y, axis), axis=axis)
        return -picked.mean()

    function = jax.jit(jax.value_and_grad(loss) if bound.contract == "forward+grad" else loss)
    x, y = bound.logits, bound.call.operands["targets"]
    jax.block_until_ready(function(x, y))
    return lambda rounds: timeit.repeat(lambda: jax.block_until_ready(function(x, y)), number=1, repeat=rounds)


TIMERS = {"torch": torch_timer, "jax": jax_timer}


def compare(framework: str) -> list[float]:
    """Take turns in this process, print a line for each workload, and return the ratios of those above the least."""
    from conformance.bench.machine import pin, pool_variables, usable_cores

    cores = usable_cores()
    os.environ.update(pool_variables(max(1, len(cores))))
    pin(cores)
    kinds = [(name, contract) for name in WORKLOADS for contract in CONTRACTS]
    with tempfile.TemporaryDirectory() as folder:
        turns = _take_turns(_orders(framework, kinds, cores, folder))
    if len(turns) < len(kinds):
        raise SystemExit(f"{framework}: {len(kinds) - len(turns)} workloads could not be timed")
    found = [_line(framework, *kind, pairs) for kind, pairs in turns.items()]
    return [ratio for ratio in found if ratio is not None]


def _orders(framework: str, kinds: Sequence[tuple[str, str]], cores: tuple[int, ...], folder: str) -> Orders:
    """Every kind in so many turns; the arrays are put into ``folder``."""
    from conformance.bench.inputs import make, save
    from conformance.bench.orders import BenchEntry, Job, Orders
    from conformance.bench.workloads import WORKLOADS as FOLDER
    from conformance.bench.workloads import load_workloads

    chosen = {each.id: each for each in load_workloads([FOLDER]) if each.id in WORKLOADS}
    for workload in chosen.values():
        save(make(workload), Path(folder, workload.id))
    entries = [
        BenchEntry(*kind, "warm", turn + place * TURNS) for place, kind in enumerate(kinds) for turn in range(TURNS)
    ]
    return Orders(
        job=Job(framework, framework, 0, tuple(entries)), threads=max(1, len(cores)), cores=cores, workloads=chosen,
        inputs=folder, outputs="", cache="", budget=SECONDS, evict_bytes=0, probe=False, seed=0,
    )  # fmt: skip


def _take_turns(orders: Orders) -> Turns:
    """The medians of each turn, ours and theirs, by workload and contract."""
    from conformance.backends.discovery import create
    from conformance.bench.orders import Timed

    framework = orders.job.spec

    def receive(event: Event) -> None:
        if not isinstance(event, Timed) and hasattr(event, "message"):
            raise SystemExit(f"{framework}: {event.message}")

    turns: Turns = {}
    session = _both(framework, turns)(orders, create(framework, orders.threads), receive)
    with _silenced():
        session.run()
    return turns


def _both(framework: str, turns: Turns) -> type[BenchSession]:
    """A session that times an entry by the framework's own timer too, and notes both in ``turns``."""
    from conformance.bench.session import BenchSession

    class Both(BenchSession):
        held: Any = None

        def bound(self, entry: Any) -> Any:
            """One set of tensors for both: a second one changes which memory the allocator has at hand."""
            if self.held is None:
                self.held = super().bound(entry)
            return self.held

        def time(self, entry: Any, benchmark: Any) -> None:
            self.held = None
            theirs = TIMERS[framework](self.bound(entry), self.orders.threads)
            theirs(2)
            rounds = max(5, min(100, int(SECONDS / statistics.median(theirs(3)))))
            first = theirs(rounds) if entry.order % 2 else []
            super().time(entry, benchmark)
            second = first or theirs(rounds)
            ours = statistics.median(benchmark.stats.stats.data)
            turns.setdefault((entry.workload, entry.contract), []).append((ours, statistics.median(second)))

    return Both


@contextmanager
def _silenced() -> Iterator[None]:
    """Nothing of what is written to descriptor 1, pytest's own lines, is seen."""
    sys.stdout.flush()
    text, null = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(text, 1)
        os.close(text)
        os.close(null)


def _line(framework: str, workload: str, contract: str, pairs: list[tuple[float, float]]) -> float | None:
    ratio = statistics.median(ours / theirs for ours, theirs in pairs)
    theirs = statistics.median(each for _, each in pairs)
    held = theirs >= LEAST_SECONDS
    beyond = held and abs(ratio - 1) > LIMIT
    verdict = "BEYOND the limit" if beyond else "within 3 %" if held else "below 1 ms: shown only"
    name = f"{framework:6} {workload:27} {contract:13}"
    print(f"{name} theirs {theirs * 1e3:9.3f} ms  ours/theirs {ratio:.4f}  {verdict}", flush=True)
    return ratio if held else None


def main(frameworks: list[str]) -> int:
    """Each framework in a process of its own: two in one slow each other."""
    if len(frameworks) == 2:
        Path(frameworks[1]).write_text(json.dumps(compare(frameworks[0])), encoding="utf-8")
        return 0
    ratios: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for each in frameworks or TIMERS:
            file = Path(folder, f"{each}.json")
            subprocess.run(
                [sys.executable, "-m", __spec__.name, each, str(file)], check=True, env=os.environ | KEEP_MEMORY
            )
            ratios += json.loads(file.read_text(encoding="utf-8"))
    median = statistics.median(ratios)
    beyond = sum(abs(each - 1) > LIMIT for each in ratios)
    print(f"median of {len(ratios)} workloads above 1 ms: ours/theirs {median:.4f}; {beyond} beyond 3 %")
    return int(abs(median - 1) > LIMIT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

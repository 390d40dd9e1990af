"""Holds every backend against every rule, shared out between processes."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from conformance.reports.kills import Kills
from tests.yardstick import digests
from tests.yardstick.peers.kernelbench import KernelBench
from tests.yardstick.peers.onnx import NodeTests
from tests.yardstick.peers.opinfo import Derivatives, Samples, Values
from tests.yardstick.peers.record import Found, Peers, RuleRecord, ZeroProblem
from tests.yardstick.peers.rule import Rule
from tests.yardstick.pool import shared_out
from tests.yardstick.registry import Kind, kind_of, name_of, suite, title
from tests.yardstick.wrong.constants import Zeros

__all__ = ["killed", "measure", "rules", "zeros"]

#: Backends of one job.
SHARE = 12


@cache
def _everything() -> tuple[tuple[Rule, ...], dict[str, str]]:
    nodes, samples = NodeTests(), Samples()
    found = (
        nodes,
        Values(samples, "opinfo-devices", "OpInfo samples, values, 1e-3 as devices are compared", (1e-3, 1e-3)),
        Values(samples, "opinfo-values", "OpInfo samples, values, rtol 1.3e-6, atol 1e-5", None),
        Derivatives(samples),
        KernelBench("kernelbench-0", "KernelBench 0: five inputs of one shape, atol = rtol = 1e-2", "0", 1e-2),
        KernelBench("kernelbench-main", "KernelBench since 0.1: wider problems, 1e-4", "main", 1e-4),
    )
    return found, {**nodes.versions, **samples.versions, "numpy": np.__version__}


def rules() -> tuple[Rule, ...]:
    """All rules, with their inputs: made once in a process."""
    return _everything()[0]


def measure(
    wrong: Sequence[Kind], right: Sequence[Kind], kills: Kills | None, processes: int, former: Peers | None = None
) -> Peers:
    """What each rule kills; ``kills`` says what each wrong backend is wrong in.

    What ``former`` holds of the same source by the same versions is taken from there. A rule that is re-created in
    another way is not seen: give none then.
    """
    asked, versions = _everything()
    digest = {kind: digests.of_kind(kind) for kind in [*right, *wrong]}
    kept = {**former.right, **former.wrong} if former is not None and former.versions == versions else {}
    known = {title(kind): kept[title(kind)].killed for kind in digest if _same(kept.get(title(kind)), digest[kind])}
    kinds = [kind for kind in digest if title(kind) not in known]
    jobs = [[name_of(kind) for kind in kinds[start : start + SHARE]] for start in range(0, len(kinds), SHARE)]
    parts = map(_job, jobs) if processes == 1 else shared_out(_job, jobs, "peers", processes)
    found = known | {name: each for part in parts for name, each in part.items()}
    wrong_in = _wrong_in(kills)
    return Peers(
        versions=versions,
        rules={
            rule.key: RuleRecord(title=rule.title, source=rule.source, ops=[*rule.ops], checks=[*rule.checks])
            for rule in asked
        },
        zeros=zeros(asked),
        right={title(kind): Found(digest=digest[kind], killed=found[title(kind)]) for kind in right},
        wrong={
            title(kind): Found(digest=digest[kind], killed=found[title(kind)], **wrong_in.get(title(kind), {}))
            for kind in wrong
        },
    )


def _same(former: Found | None, digest: str) -> bool:
    return former is not None and former.digest == digest


def _job(names: Sequence[tuple[str, str, str]]) -> dict[str, dict[str, str]]:
    return {title(kind): killed(kind, rules()) for kind in map(kind_of, names)}


def killed(kind: Kind, asked: Sequence[Rule]) -> dict[str, str]:
    """Of each rule that the backend does not pass, the first test that it fails; a new instance for each rule."""
    import torch

    found = {}
    for rule in asked:
        random.seed(0)
        np.random.seed(0)
        torch.manual_seed(0)  # gradcheck draws its directions
        if failure := found.get(rule.includes) or rule.failure(kind()):
            found[rule.key] = failure
    return found


def _wrong_in(kills: Kills | None) -> Mapping[str, dict[str, Any]]:
    if kills is None:
        return {}
    ops = {entry.case.id: entry.case.op for entry in suite()}
    return {
        name: {"ops": [ops[each.example]], "checks": each.checks}
        for name, each in kills.wrong.items()
        if each.example in ops
    }


def zeros(asked: Sequence[Rule]) -> list[ZeroProblem]:
    """What each problem of KernelBench makes of a kernel of zeros."""
    return [
        ZeroProblem(
            name=problem.name,
            version=bench.version,
            inputs=problem.inputs,
            largest=float(f"{problem.largest:.3g}"),
            tolerance=bench.tolerance,
            passes=problem.passes(Zeros(), bench.tolerance),
        )
        for bench in asked
        if isinstance(bench, KernelBench)
        for problem in bench.problems
    ]

"""What the command line's ``run`` asks for, and what of it selects the cases."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import msgspec

from conformance.model.errors import UsageError
from conformance.model.records import Selection, Shard
from conformance.plain import say

__all__ = ["RunSettings", "is_narrowed", "seeded", "selection_of"]


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """What the command line's ``run`` asks for, as it is stated: backends by their specs, nothing read yet."""

    backends: tuple[str, ...] = ()
    paths: tuple[Path, ...] = ()
    expression: str | None = None
    dtypes: tuple[str, ...] = ()
    device: str | None = None
    mode: str | None = None
    jobs: int | None = None
    threads: int | None = None
    timeout: float = 60.0
    start_timeout: float = 180.0
    memory_limit: int | None = None
    restarts: int = 20
    max_memory: int = 2 << 30
    shard: Shard | None = None
    costs: tuple[Path, ...] = ()
    quick: bool = False
    random: int = 0
    seed: int | None = None
    identities: bool = True
    tier: Literal["default", "full"] = "default"
    resume: Path | None = None
    output: Path | None = None
    replace: bool = False
    quiet: bool = False
    executor: Literal["local", "dask"] | None = None
    scheduler: str | None = None
    tls_ca_file: str | None = None
    tls_cert: str | None = None
    tls_key: str | None = None


def is_narrowed(settings: RunSettings) -> bool:
    """Whether the caller asked for less than every case in every dtype."""
    return bool(settings.paths or settings.expression or settings.dtypes or settings.shard or settings.quick)


def seeded(settings: RunSettings) -> RunSettings:
    """With the seed of the random cases, which is drawn and said where none is given.

    Raises UsageError for a seed of none, and for a shard of cases whose seed is not stated.
    """
    if not settings.random:
        if settings.seed is not None:
            raise UsageError("--seed without --random", hint="say how many random cases there are to be: --random N")
        return settings
    if settings.seed is not None:
        return settings
    if settings.shard is not None:
        raise UsageError("--shard and --random without --seed", hint="every shard needs the same: add --seed S")
    seed = secrets.randbelow(2**31)
    say(f"random cases of --seed {seed}", err=True)
    return replace(settings, seed=seed)


def selection_of(settings: RunSettings, specs: list[str], partition: str) -> dict[str, Any]:
    """What a header says of the selection: with the backends' ``specs`` and the digest of what a shard is one of."""
    selection = Selection(
        backends=tuple(specs),
        cases=tuple(map(str, settings.paths)),
        expression=settings.expression,
        dtypes=settings.dtypes,
        shard=settings.shard,
        costs=tuple(map(str, settings.costs)),
        partition=partition,
        quick=settings.quick,
        random=settings.random,
        seed=settings.seed,
        identities=settings.identities,
        tier=settings.tier,
        max_memory=settings.max_memory,
        timeout=settings.timeout,
    )
    return dict(msgspec.to_builtins(selection))

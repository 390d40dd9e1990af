"""From settings to a finished run: cases, backends, the results file, progress, and the exit code."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.cases.load import Entry, case_files, load_suite
from conformance.cases.quick import load_quick, narrowed
from conformance.cases.select import parse_dtypes, select
from conformance.cases.stated import require_true_values
from conformance.model.backend import BackendRecord
from conformance.model.errors import UsageError
from conformance.model.records import Footer, Header
from conformance.model.verdicts import NONCONFORMING, SILENT
from conformance.places import CASES, QUICK, folder_of_now
from conformance.plain import lines_on_terminal, on_terminal, say
from conformance.profiles.load import load_profile
from conformance.results.environment import available_cores, origin
from conformance.results.store import Writer, discard, read_run
from conformance.run.conduct import Conductor, Listener
from conformance.run.costs import costs_of, read_costs
from conformance.run.executors import Executor, executor_for
from conformance.run.memory import MemoryWatch
from conformance.run.plan import Plan, RunBudget
from conformance.run.progress import Progress
from conformance.run.resume import require_same, resumed, resuming
from conformance.run.settings import RunSettings, is_narrowed, seeded, selection_of
from conformance.run.shards import case_digests, partition
from conformance.run.tasks import Terms
from conformance.scratch import scratch
from conformance.worker.find import find_backends
from conformance.worker.limits import Limits

if TYPE_CHECKING:
    from conformance.model.problem import Problem
    from conformance.run.executors.dask.connect import Fleet

__all__ = ["Finished", "exit_code", "launch"]

_FILES = 64  # open files beside those of the processes that judge


@dataclass(frozen=True)
class Finished:
    """A run that has come to its end: where its results lie, and what it exits with."""

    folder: Path
    counts: dict[str, int]
    failed: dict[str, str]
    exit_code: int


def launch(settings: RunSettings) -> Finished:
    """Run to the end. Raises UsageError for wrong usage, HarnessError where the results cannot be written.

    Ctrl-C leaves a file without a footer: every finished unit is in it, and ``--resume`` completes it.
    """
    settings, begun = resumed(settings)
    settings = seeded(settings)
    jobs = settings.jobs or available_cores()
    _require_files(jobs)
    threads = settings.threads or (0 if settings.scheduler else max(1, available_cores() // jobs))
    limits = Limits(settings.start_timeout, settings.timeout, settings.restarts, settings.memory_limit)
    fleet = _fleet(settings)
    with (
        scratch() as folder,
        contextlib.closing(executor_for(jobs, Terms(threads, limits, folder), fleet)) as executor,
    ):
        executor.prepare()
        elsewhere: Collection[str] = ()
        if fleet is not None and fleet.scheduler:
            elsewhere = settings.backends or fleet.backends()
        # Who works elsewhere has a machine of its own.
        budget = RunBudget(settings.max_memory, settings.timeout, 0 if settings.scheduler else limits.memory_bytes)
        return _launched(settings, executor, elsewhere, budget, begun)


def _launched(
    settings: RunSettings,
    executor: Executor,
    elsewhere: Collection[str],
    budget: RunBudget,
    begun: Header | None,
) -> Finished:
    dtypes = parse_dtypes(settings.dtypes) if settings.dtypes else None
    folder = settings.resume or settings.output or folder_of_now()
    files = case_files(settings.paths or (CASES,))
    entries: Sequence[Entry] = load_suite(files).entries
    if settings.quick:
        entries = narrowed(entries, load_quick(QUICK), strict=not settings.paths)
    if settings.random and settings.seed is not None:
        from conformance.corpus.random_cases import random_cases

        entries = [*entries, *random_cases(settings.random, settings.seed)]
    entries = select(entries, expression=settings.expression, dtypes=dtypes)
    if not entries:
        raise UsageError(
            "no case is selected", hint="`conformance list cases` shows them; loosen -k, --dtype or --quick"
        )
    digests = case_digests(entries, files)
    found = find_backends(settings.backends, settings.device, settings.mode, elsewhere)
    entries, digest = _shard(entries, settings, [each.name for each in found] if settings.backends else [])
    require_true_values(entries, _expected_text, except_below=CASES)
    header = Header(
        **origin(),
        selection=selection_of(settings, [each.spec for each in found], digest),
        case_files=digests,
    )
    if begun is not None:
        require_same(begun, header, folder)
    for each in found:
        if each.own_profile is not None:
            load_profile(each.own_profile)  # what is refused leaves no folder, and no former run removed
    # The quick selection has been chosen for few shapes: nothing of it is left out.
    plan = Plan(entries, dtypes, settings.identities, budget, "full" if settings.quick else settings.tier)
    if settings.replace and settings.resume is None:
        discard(folder)
    command = resuming(folder, header.selected)
    with Writer(folder, header, resuming=settings.resume is not None, command=command) as writer:
        return _conduct(plan, found, writer, settings, executor, command)


def _expected_text(problem: Problem, key: str) -> str | list[Any] | None:
    """The oracle's value, for a case that states one: it alone needs the oracle here."""
    from conformance.oracle.text import expected_text

    return expected_text(problem, key)


def _conduct(
    plan: Plan, found: Sequence[Any], writer: Writer, settings: RunSettings, executor: Executor, command: str
) -> Finished:
    begin = time.perf_counter()
    totals = {each.name: sum(len(portion.entries) for portion in plan.portions) for each in found}
    with Progress(totals, quiet=settings.quiet) as progress, MemoryWatch() as memory:
        conductor = Conductor(
            plan,
            found,
            executor,
            writer.append,
            writer.describe,
            _Shown(progress),
            done=writer.done,
            recorded=lambda: read_run(writer.folder).outcomes,
            former=read_run(writer.folder).backends if settings.resume else {},
            whole=not is_narrowed(settings),
            shard=settings.shard is not None and not is_narrowed(replace(settings, shard=None)),
        )
        try:
            conductor.run()
        except KeyboardInterrupt:
            progress.note(on_terminal(f"interrupted: what is done is in {writer.path}; complete it with {command}"))
            raise
    writer.finish(Footer(seconds=time.perf_counter() - begin, complete=not conductor.failed, memory=memory.peak))
    if not len(plan):
        say(f"shard {settings.shard} holds no case: fewer are selected than there are shards", err=True)
        return Finished(writer.folder, {}, {}, 0)
    code = exit_code(writer.counts, conductor.failed | conductor.mixed)
    for name, problem in conductor.mixed.items():
        say(f"{name}: {problem}", err=True)
    if SILENT.issuperset(writer.counts):
        say("nothing was checked: each check is unsupported or was not run", err=True)
    return Finished(writer.folder, dict(writer.counts), conductor.failed, code)


def _shard(entries: Sequence[Entry], settings: RunSettings, backends: Sequence[str]) -> tuple[Sequence[Entry], str]:
    """The entries of the shard that is asked for, and the digest of all; without one, the entries and nothing."""
    if settings.shard is None:
        if settings.costs:
            raise UsageError("--costs without --shard", hint="costs say how a selection is divided: add --shard I/N")
        return entries, ""
    budget = RunBudget(settings.max_memory, settings.timeout)  # without this machine's memory: shards have others
    expected = costs_of([entry.case for entry in entries], read_costs(settings.costs), backends)
    costs = [0.0 if budget.excess(entry.case) else cost for entry, cost in zip(entries, expected, strict=True)]
    parts = partition(entries, costs, settings.shard.count)
    return parts.parts[settings.shard.index - 1], parts.digest


def _fleet(settings: RunSettings) -> Fleet | None:
    """The workers that do the tasks, where these are not the local ones."""
    if settings.executor == "local" and settings.scheduler is not None:
        raise UsageError("--executor local has no scheduler", hint="leave out --executor, or --scheduler")
    if settings.executor != "dask" and settings.scheduler is None:
        return None
    from conformance.run.executors.dask.connect import Fleet

    return Fleet(
        scheduler=settings.scheduler or "",
        tls_ca_file=settings.tls_ca_file,
        tls_cert=settings.tls_cert,
        tls_key=settings.tls_key,
        patience=settings.start_timeout,
    )


def _require_files(jobs: int) -> None:
    """Each process that judges takes two of the files that this one may have open."""
    try:
        import resource
    except ImportError:  # no such limits on this system
        return
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if jobs > 1 and most != resource.RLIM_INFINITY and 2 * jobs + _FILES > most:
        hint = f"name at most {max(1, (most - _FILES) // 2)}, or raise the limit: ulimit -n"
        raise UsageError(f"--jobs {jobs} needs more open files than {most}, the limit of this process", hint=hint)


def exit_code(counts: Mapping[str, int], failed: Collection[str]) -> int:
    """1 for a non-conformity; 3 where a backend failed, the harness erred or nothing was checked; 0 otherwise."""
    verdicts = {verdict for verdict, count in counts.items() if count}
    if verdicts & NONCONFORMING:
        return 1
    return 3 if failed or "error" in verdicts or verdicts <= SILENT else 0


class _Shown(Listener):
    """Passes what happens on to the progress display."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    def started(self, spec: str, record: BackendRecord) -> None:
        versions = ", ".join(f"{name} {version}" for name, version in record.versions.items())
        self.progress.note(on_terminal(f"{spec}: {versions} on {record.id.device}, {record.id.how}"))

    def judged(self, spec: str, cases: int, failed: int) -> None:
        self.progress.advance(spec, cases, failed)

    def noted(self, text: str) -> None:
        self.progress.note(on_terminal(text))

    def ended(self, spec: str, error: UsageError | None) -> None:
        if error is not None:
            self.progress.note(lines_on_terminal(f"{spec}: {error.reason}"))

"""A run that is completed: with the selection, the cases and the backends that it was begun with.

No code is run, no file is read, and no more than some random cases are made, for the only reason that a results file
says so: it may be a stranger's. The user names them again.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from conformance import __version__
from conformance.model.errors import Place, UsageError
from conformance.model.records import Header, Selection
from conformance.plain import command_line, plain
from conformance.results.store import read_run
from conformance.run.settings import RunSettings, is_narrowed
from conformance.worker.find import find_backends, is_installed

__all__ = ["require_same", "resumed", "resuming"]

#: Random cases that are made again because a results file says so: about two seconds.
_MOST_UNASKED = 10_000
_BEGUN_WITH = "start a new run, or resume it with what it was begun with"


def resumed(settings: RunSettings) -> tuple[RunSettings, Header | None]:
    """The selection of the run that is resumed, unless there is none yet, and its header.

    Raises UsageError where there is no such run, where the settings select anything else, and where what it names is to
    be said again by the user.
    """
    if settings.resume is None:
        return settings, None
    if not settings.resume.exists():
        raise UsageError(f"{settings.resume} does not exist", hint="name the folder of an interrupted run")
    begun = read_run(settings.resume).header
    chosen = begun.selected
    if _selects(settings, chosen):
        raise UsageError(
            "a resumed run keeps its own selection",
            hint="leave out -k, --dtype, --device, --mode, --shard, --quick, --tier, --random, --seed, "
            "--no-identities, --max-memory and --timeout",
        )
    if settings.replace or settings.output not in (None, settings.resume):
        raise UsageError("a resumed run keeps its own folder", hint="leave out --output and --replace")
    if begun.suite != __version__:
        problem = f"the run in {settings.resume} was begun by version {begun.suite} of the suite"
        raise UsageError(problem, hint=_BEGUN_WITH)
    _require_named_again(settings, chosen)
    chosen_again = replace(
        settings,
        backends=settings.backends or chosen.backends,
        expression=chosen.expression,
        dtypes=chosen.dtypes,
        shard=chosen.shard,
        quick=chosen.quick,
        random=chosen.random,
        seed=chosen.seed,
        identities=chosen.identities,
        tier=chosen.tier,
        max_memory=chosen.max_memory,
        timeout=chosen.timeout,
        device=None,
        mode=None,
    )
    return chosen_again, begun


def _selects(settings: RunSettings, chosen: Selection) -> bool:
    """Whether the caller asks for a selection, where a run has one already."""
    return (
        is_narrowed(replace(settings, paths=()))
        or any((settings.seed is not None, settings.device, settings.mode))
        or settings.random not in (0, chosen.random)
        or settings.tier not in ("default", chosen.tier)
        or settings.max_memory not in (RunSettings.max_memory, chosen.max_memory)
        or settings.timeout not in (RunSettings.timeout, chosen.timeout)
        or (chosen.identities and not settings.identities)
    )


def _require_named_again(settings: RunSettings, chosen: Selection) -> None:
    """Raises UsageError unless the user names code, files and many random cases where the results do.

    Files are compared by what they hold, once those that the user names are read: see :func:`require_same`.
    """
    hint = f"if you trust the results, name again what they name: {resuming(settings.resume, chosen)}"
    foreign = [spec for spec in chosen.backends if not is_installed(spec)]
    if foreign and not settings.backends:
        raise UsageError(f"the results name {plain(foreign[0])}, whose code would be run", hint=hint)
    if settings.backends and not _same_backends(settings.backends, chosen.backends):
        raise UsageError("a resumed run keeps its own backends", hint=hint)
    for what, named, recorded in (("cases", settings.paths, chosen.cases), ("costs", settings.costs, chosen.costs)):
        if recorded and not named:
            raise UsageError(f"the results name {plain(recorded[0])}, which would be read", hint=hint)
        if named and not recorded:
            raise UsageError(f"a resumed run keeps its own {what}", hint=hint)
    if chosen.random > max(_MOST_UNASKED, settings.random):
        raise UsageError(f"the results ask for {chosen.random} random cases", hint=hint)


def _same_backends(named: tuple[str, ...], recorded: tuple[str, ...]) -> bool:
    if {*named} == {*recorded}:
        return True
    return {each.name for each in find_backends(named)} == {each.name for each in find_backends(recorded)}


def resuming(folder: Path | None, chosen: Selection) -> str:
    """The command that resumes a run: it names again what the suite neither brings along nor makes at once."""
    backends = chosen.backends if not all(map(is_installed, chosen.backends)) else ()
    named = [*(("-b", each) for each in backends), *(("--cases", each) for each in chosen.cases)]
    named += [("--costs", each) for each in chosen.costs]
    named += [("--random", str(chosen.random))] if chosen.random > _MOST_UNASKED else []
    return command_line("conformance", "run", "--resume", folder, *(word for pair in named for word in pair))


def require_same(begun: Header, now: Header, folder: Path) -> None:
    """Raises UsageError where a run would be completed on other cases than it was begun with, by whatever names."""
    if _held(begun) != _held(now) and (changed := begun.changed_file(now)):
        if {*begun.selected.cases} == {*now.selected.cases}:
            raise UsageError("cases have changed since the run was begun", place=Place(changed), hint=_BEGUN_WITH)
        hint = f"if you trust the results, name again what they name: {resuming(folder, begun.selected)}"
        raise UsageError("a resumed run keeps its own cases", place=Place(changed), hint=hint)
    if (begun.selected.partition or now.selected.partition) != now.selected.partition:
        hint = "restore the cases and the costs as they were, or run the shard again"
        raise UsageError(f"{folder} holds another shard than {now.selected.shard} of these cases is now", hint=hint)


def _held(header: Header) -> list[str]:
    """The digests of what a run took from its files of cases, by whatever names."""
    return sorted(filter(None, header.case_files.values()))

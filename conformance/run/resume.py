"""A run that is completed: with the selection, the cases and the backends that it was begun with.

No code is run, and no more than some random cases are made, for the only reason that a results file says so: it may be
a stranger's. The files of cases and costs that it names are read, as data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from conformance import __version__
from conformance.model.errors import Place, UsageError
from conformance.model.records import Header, Selection
from conformance.plain import command_line, plain
from conformance.results.store import read_run
from conformance.run.settings import RunSettings, is_narrowed
from conformance.run.shards import name_of
from conformance.worker.find import find_backends, is_installed

__all__ = ["require_files_of", "require_same", "resumed", "resuming"]

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
            hint="leave out --cases, -k, --dtype, --device, --mode, --shard, --costs, --quick, --tier, --random, "
            "--seed and --no-identities",
        )
    if settings.replace or settings.output not in (None, settings.resume):
        raise UsageError("a resumed run keeps its own folder", hint="leave out --output and --replace")
    if chosen.random > max(_MOST_UNASKED, settings.random):
        command = resuming(settings.resume, chosen.backends)
        raise UsageError(
            f"the results ask for {chosen.random} random cases",
            hint=f"if you trust them, say it again: {command} --random {chosen.random}",
        )
    chosen_again = replace(
        settings,
        backends=_named_again(chosen.backends, settings),
        paths=tuple(map(Path, chosen.cases)),
        expression=chosen.expression,
        dtypes=chosen.dtypes,
        shard=chosen.shard,
        costs=tuple(map(Path, chosen.costs)),
        quick=chosen.quick,
        random=chosen.random,
        seed=chosen.seed,
        identities=chosen.identities,
        tier=chosen.tier,
        device=None,
        mode=None,
    )
    return chosen_again, begun


def _selects(settings: RunSettings, chosen: Selection) -> bool:
    """Whether the caller asks for a selection, where a run has one already."""
    return (
        is_narrowed(settings)
        or any((settings.seed is not None, settings.device, settings.mode, settings.costs))
        or settings.random not in (0, chosen.random)
        or settings.tier not in ("default", chosen.tier)
        or (chosen.identities and not settings.identities)
    )


def _named_again(recorded: tuple[str, ...], settings: RunSettings) -> tuple[str, ...]:
    """The backends of a run that is resumed. No code runs because a results file names it: the user must, too."""
    named, command = settings.backends, resuming(settings.resume, recorded)
    if not named:
        if foreign := [spec for spec in recorded if not is_installed(spec)]:
            raise UsageError(
                f"the results name {plain(foreign[0])}, whose code would be run",
                hint=f"if you trust it, name the backends again: {command}",
            )
        return recorded
    if {*named} != {*recorded} and {e.name for e in find_backends(named)} != {e.name for e in find_backends(recorded)}:
        raise UsageError("a resumed run keeps its own backends", hint=command)
    return named


def resuming(folder: Path | None, specs: Sequence[str]) -> str:
    """The command that resumes a run: its backends are named again where one of them is the user's."""
    named = specs if not all(map(is_installed, specs)) else ()
    return command_line("conformance", "run", "--resume", folder, *(word for spec in named for word in ("-b", spec)))


def require_files_of(begun: Header, files: Sequence[Path], folder: Path) -> None:
    """Raises UsageError where a run would be completed by another suite, or with other files, than it was begun with.

    No file of cases is read before. What the header both selects and lists is read next, a stranger's as well.
    """
    if begun.suite != __version__:
        raise UsageError(f"the run in {folder} was begun by version {begun.suite} of the suite", hint=_BEGUN_WITH)
    if other := next((name for name in map(name_of, files) if name not in begun.case_files), ""):
        raise UsageError("cases have changed since the run was begun", place=Place(other), hint=_BEGUN_WITH)


def require_same(begun: Header, now: Header, folder: Path) -> None:
    """Raises UsageError where a run would be completed on other cases than it was begun with."""
    if changed := begun.changed_file(now):
        raise UsageError("cases have changed since the run was begun", place=Place(changed), hint=_BEGUN_WITH)
    if (begun.selected.partition or now.selected.partition) != now.selected.partition:
        hint = "restore the cases and the costs as they were, or run the shard again"
        raise UsageError(f"{folder} holds another shard than {now.selected.shard} of these cases is now", hint=hint)

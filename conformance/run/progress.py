"""How far a run is: bars on a terminal, plain lines elsewhere, always on standard error."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Protocol, TextIO

from conformance.plain import lines_on_terminal, on_terminal, plural

__all__ = ["Display", "Progress"]

EVERY_SECONDS = 10.0
EVERY_SHARE = 0.1


class Display(Protocol):
    """Shows progress; each method is about one backend."""

    def advance(self, backend: str, done: int, failed: int) -> None:
        """More units of a backend are through."""

    def note(self, text: str) -> None:
        """A line of text."""

    def close(self) -> None:
        """The end."""


class Progress:
    """Progress of several backends, towards ``totals`` units each.

    ``quiet`` shows nothing. ``stream`` is standard error unless given. Use it as a context manager, from one thread.
    """

    def __init__(self, totals: Mapping[str, int], *, quiet: bool = False, stream: TextIO | None = None) -> None:
        stream = sys.stderr if stream is None else stream
        self._display: Display
        if quiet:
            self._display = _Silence()
        elif stream.isatty():
            self._display = _Bars(totals, stream)
        else:
            self._display = _Lines(totals, stream)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error: object) -> None:
        self._display.close()

    def advance(self, backend: str, done: int = 1, failed: int = 0) -> None:
        """``done`` more units of ``backend`` are through, ``failed`` of them with a failure."""
        self._display.advance(backend, done, failed)

    def note(self, text: str) -> None:
        """Show a line of text beside the progress (a backend that came up, or cannot be loaded)."""
        self._display.note(text)


def _failed(cases: int) -> str:
    """Of cases: the tables count their checks, of which several may fail."""
    return f"{plural(cases, 'case')} failed"


class _Silence:
    def advance(self, backend: str, done: int, failed: int) -> None:
        pass

    def note(self, text: str) -> None:
        pass

    def close(self) -> None:
        pass


@dataclass
class _Count:
    total: int
    done: int = 0
    failed: int = 0
    shown: int = 0
    shown_at: float = field(default_factory=monotonic)


class _Lines:
    """A line for a backend whenever a tenth is done or ten seconds have passed, and at its end."""

    def __init__(self, totals: Mapping[str, int], stream: TextIO) -> None:
        self._counts = {name: _Count(total) for name, total in totals.items()}
        self._stream = stream
        self._width = max(map(len, totals), default=0)

    def advance(self, backend: str, done: int, failed: int) -> None:
        count = self._counts.setdefault(backend, _Count(0))
        count.done += done
        count.failed += failed
        fresh = count.done - count.shown
        late = monotonic() - count.shown_at >= EVERY_SECONDS
        if late or count.done == count.total or fresh >= EVERY_SHARE * max(count.total, 1):
            self._show(backend, count)

    def note(self, text: str) -> None:
        print(lines_on_terminal(text), file=self._stream, flush=True)

    def close(self) -> None:
        for name, count in self._counts.items():
            if count.shown != count.done:
                self._show(name, count)

    def _show(self, name: str, count: _Count) -> None:
        share = f"{100 * count.done // count.total:3d} %" if count.total else "     "
        failed = f", {_failed(count.failed)}" if count.failed else ""
        self.note(f"{name:<{self._width}}  {share}  {count.done}/{count.total}{failed}")
        count.shown, count.shown_at = count.done, monotonic()


class _Bars:
    """A live bar for each backend."""

    def __init__(self, totals: Mapping[str, int], stream: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        self._bars: Any = Bars(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[failures]}", style="red", markup=False),
            TimeElapsedColumn(),
            console=Console(file=stream),
        )
        self._failed = dict.fromkeys(totals, 0)
        self._tasks = {
            name: self._bars.add_task(on_terminal(name), total=total, failures="") for name, total in totals.items()
        }
        self._bars.start()

    def advance(self, backend: str, done: int, failed: int) -> None:
        if backend not in self._tasks:
            self._tasks[backend] = self._bars.add_task(on_terminal(backend), total=None, failures="")
        total = self._failed[backend] = self._failed.get(backend, 0) + failed
        self._bars.update(self._tasks[backend], advance=done, failures=_failed(total) if total else "")

    def note(self, text: str) -> None:
        self._bars.console.print(lines_on_terminal(text), markup=False, highlight=False)

    def close(self) -> None:
        self._bars.stop()

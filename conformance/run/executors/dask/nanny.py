"""What watches a worker's process: Dask's own nanny, which starts another where one ends, and a little more."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Any

from distributed import Nanny, Status
from tornado.ioloop import PeriodicCallback

from conformance.run.executors.dask.connect import ENDS

__all__ = ["WakingNanny"]

WAKE = 0.1  # seconds between two times that a worker is made to go on: it may be stopped again and again


class WakingNanny(Nanny):  # type: ignore[misc]
    """Has its worker go on where a backend has stopped it, and lets the scheduler know how one has ended."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.periodic_callbacks["wake"] = PeriodicCallback(self._wake, 1000 * WAKE)

    def _wake(self) -> None:
        if (pid := self.pid) is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGCONT)

    # No public means says how a worker's process has ended: a NannyPlugin is called when a nanny begins and ends, and a
    # scheduler's plugin learns that a worker has gone, and not by which code or signal.
    def _on_worker_exit_sync(self, exitcode: int) -> None:
        if self.status == Status.running:
            self.log_event(ENDS, {"worker": self.worker_address, "code": exitcode})
        super()._on_worker_exit_sync(exitcode)

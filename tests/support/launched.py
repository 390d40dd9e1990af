"""Runs whose judge is this process: where nothing is asked of processes, to start one takes longer than the run."""

from __future__ import annotations

import pytest

from conformance.run import launch as launching
from conformance.run.launch import Finished
from conformance.run.settings import RunSettings
from tests.support.inline import InlineExecutor

__all__ = ["launch_here"]


def launch_here(settings: RunSettings) -> Finished:
    """What ``launch`` does, one task after the other; backends have processes of their own as ever."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(launching, "executor_for", lambda jobs, terms, fleet=None: InlineExecutor(terms))
        return launching.launch(settings)

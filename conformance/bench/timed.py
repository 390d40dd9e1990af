"""What pytest collects in a timed process: one test an entry. The driver starts it; it is not a test of the suite."""

from __future__ import annotations

from typing import Any

from conformance.bench.orders import BenchEntry


def test_entry(entry: BenchEntry, timed_session: Any, benchmark: Any) -> None:
    """Time ``entry`` with pytest-benchmark's fixture."""
    timed_session.time(entry, benchmark)

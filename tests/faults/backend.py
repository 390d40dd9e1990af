"""The faulty backends with a full table: every module of kinds is imported, and with it the kinds that it has."""

from tests.faults import deaths, errors, hangs, harness, later, memory, pipes, replaced, results, state, torch_state  # noqa: F401  # they fill the table
from tests.faults.faulty import Faulty, FaultyTorch

__all__ = ["Faulty", "FaultyTorch"]

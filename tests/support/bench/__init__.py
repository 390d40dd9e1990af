"""Backends for the tests of the benchmarks."""

"""Benchmarks as read from their files: statistics of a change, the report, and its pictures."""

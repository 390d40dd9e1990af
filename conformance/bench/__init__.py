"""Benchmarks: workloads, fresh processes that time them, the machine's peak bandwidth, and the results' accuracy."""

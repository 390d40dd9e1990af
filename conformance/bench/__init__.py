"""Benchmarks: workloads, fresh processes that time them, the roof that they are held against, and their accuracy."""

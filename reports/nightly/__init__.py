"""The nightly: run, merge, compare with the night before, keep history, export.

``python -m conformance.reports.nightly``.

Every step is a command line of the suite, so that what a workflow does can be done by hand, step by step.
"""

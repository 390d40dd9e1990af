"""Tests of the site, and its figures: ``python -m tests.support.site``."""

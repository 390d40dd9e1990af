"""Adapters: the code that a user of each framework would write, one small function an operation."""

"""Adapters: the code that a user of each library would write, one small method an operation."""

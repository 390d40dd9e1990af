"""Runtimes: how each array library makes, reads, compiles and differentiates tensors. One for each library."""

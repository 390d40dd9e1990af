"""Vectors: calls with their inputs, exact results and bounds, for kernels that run without Python."""

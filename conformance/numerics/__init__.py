"""Floating-point formats: unit roundoff, range and spacing."""

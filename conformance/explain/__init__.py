"""Explanations: what each backend gives for one case."""

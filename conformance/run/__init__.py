"""A run: what is planned, who takes part, and how it is conducted."""

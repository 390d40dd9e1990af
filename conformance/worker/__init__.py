"""A backend's process: what crosses its border, what it does with a request, and how its faults are told apart."""

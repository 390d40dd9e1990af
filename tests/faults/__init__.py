"""Wrong backends by the way in which they go wrong: each must show as itself, and touch nothing else.

``python -m tests.faults`` runs every kind alone, then runs that are killed at random, and prints a table of figures.
The tests run the kinds together.
"""

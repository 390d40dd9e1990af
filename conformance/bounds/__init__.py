"""How far from the truth a sound implementation may be: a-priori bounds computed from the inputs, and their classes."""

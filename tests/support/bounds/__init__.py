"""Adversaries of the bounds: sound evaluations in every order, and the search for the worst of them."""

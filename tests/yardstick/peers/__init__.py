"""Peers: other projects' rules for what is right, re-created, and held against the same wrong backends."""

"""The truth: what the definition gives for the very tensors under test, as intervals that provably contain it."""

"""Cases: reading and checking files, seeded tensors, and the concrete problems that come of them."""

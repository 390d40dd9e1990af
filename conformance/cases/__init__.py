"""Cases: the model, reading, seeded tensors, and the concrete problems that come of them."""

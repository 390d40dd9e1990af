"""What a backend declares of itself: policies, accuracy classes, and the register of its known defects."""

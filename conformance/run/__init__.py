"""A run: the plan, the backends' processes, what they give, and the record."""

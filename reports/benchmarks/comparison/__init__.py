"""Two benchmark runs compared: what changed, and how sure that is."""

"""Every run in one file, and what changed over them."""

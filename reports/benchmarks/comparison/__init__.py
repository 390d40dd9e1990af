"""Two benchmark runs held against each other: what changed, and how sure that is."""

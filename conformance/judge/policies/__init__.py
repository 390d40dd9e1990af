"""What the judge does with policies: which value describes what was seen, and which declared ones excuse a result."""

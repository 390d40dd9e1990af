"""What changed between two runs: verdicts, classes, accuracy, policies, speed."""

"""The cross-entropy conformance suite: what is right, what is wrong, by how many ulp, and why."""

__version__ = "0.1.0"

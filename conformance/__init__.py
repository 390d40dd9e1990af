"""The cross-entropy conformance suite: what is right, what is wrong, by how many ulp, and why."""

import os

__version__ = "0.2.0"

for _name in ("backends", "reports"):
    if not os.path.isdir(_folder := os.path.join(os.path.dirname(__file__), _name)):  # noqa: PTH112, PTH118, PTH120
        raise ImportError(
            f"{_folder} is not a folder: it is a symbolic link in the repository, which this checkout does not have; "
            "hint: `git config core.symlinks true && git checkout -- conformance`, or install the wheel"
        )

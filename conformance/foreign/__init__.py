"""Foreign tests: the vectors of other projects as case files, and how far their values agree with the truth."""

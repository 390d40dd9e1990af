"""What is put on record: the rows of a run, the file that holds them, and the environment they were obtained in."""

"""Makes case files of combined features: a seeded covering array, written out as cases."""

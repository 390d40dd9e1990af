"""Tasks done by a Dask cluster: one of this machine, or the workers of a fleet behind a scheduler."""

"""Exports for other programs: JUnit XML, job summary, annotations, badges, CSV and Parquet.

Each reads outcomes as a stream, so that a hundred runs take no more memory than one.
"""

"""A JSON Schema for every JSON that the suite writes, generated from the types that say what is in it."""

"""Notes: a model, its administration, and a few pages."""

"""A file's bytes to upright pixels and a capture time."""

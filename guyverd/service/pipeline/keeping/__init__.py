"""The people folder kept: read back, planned, published, furnished."""

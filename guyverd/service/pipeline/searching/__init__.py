"""Search: what is asked about, what is found, and how it is told."""

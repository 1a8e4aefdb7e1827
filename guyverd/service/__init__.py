"""Use cases, the daemon's life cycle and its local API."""

"""Paths on disk to what changed: events, debounce, scanner, mounts, reconcile."""

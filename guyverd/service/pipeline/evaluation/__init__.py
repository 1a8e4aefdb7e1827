"""Labelled photos through the real pipeline: evaluations, rehearsals, the search for settings."""

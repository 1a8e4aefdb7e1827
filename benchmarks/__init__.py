"""Measurements of speed and quality; each file that is a command prints what it found."""

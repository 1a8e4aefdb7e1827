"""guyverd: a daemon that finds the people in your photos and keeps a folder of links for each of them."""

__version__ = "0.1.0"

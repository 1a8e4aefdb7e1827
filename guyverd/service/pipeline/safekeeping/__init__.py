"""The catalogue kept safe: backups made, found, put back, and what is done where none is left."""

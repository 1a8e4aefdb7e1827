"""Saved searches: who is found for them, and what is put into their folders."""

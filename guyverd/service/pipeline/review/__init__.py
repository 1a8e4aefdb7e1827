"""Questions to the user, and what their answers do."""

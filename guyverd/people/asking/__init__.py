"""What to ask the user: which answer is likely to settle most faces."""

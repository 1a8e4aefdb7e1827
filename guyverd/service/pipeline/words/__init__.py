"""What the user says: decided, told, undone, checked."""

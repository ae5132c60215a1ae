"""What becomes of an event once it was found."""

"""What is said to people, and what is never said."""

"""What lies in Redis, and every way to it."""

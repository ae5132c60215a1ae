"""Keys, those of callers and that of what is stored."""

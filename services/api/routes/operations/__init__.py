"""Is it alive, who works, how full is it."""

"""Ways to see one frame: the built-in CNN, and trunks that were trained elsewhere."""

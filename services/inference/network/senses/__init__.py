"""Ways to see a frame, and what each remembers of those before."""

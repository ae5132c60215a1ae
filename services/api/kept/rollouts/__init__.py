"""A model tried on all streams of a group, with their return where it is worse."""

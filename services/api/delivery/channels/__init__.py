"""The ways in which letters leave."""

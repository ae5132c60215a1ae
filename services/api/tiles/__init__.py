"""Pictures of streams as they are now, for all who watch."""

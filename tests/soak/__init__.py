"""`make soak`: cameras that come and go for as long as one likes, and what that costs the service."""

"""How streams are spread over partitions, and how a client comes to know it."""

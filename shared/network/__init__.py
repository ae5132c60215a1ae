"""The network, as far as two services must agree on it."""

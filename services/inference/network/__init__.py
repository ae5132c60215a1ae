"""The network, as the worker and training use it: no Redis, no threads."""

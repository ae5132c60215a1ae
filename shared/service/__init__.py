"""How a service runs: its settings, log, health, metrics and leases."""

"""Delivery of events to receivers: at least once, in order per stream, from an outbox in Redis."""

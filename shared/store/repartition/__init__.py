"""Divides a store into another number of partitions, while no service runs."""

"""The layout of a store that does not say: 32 partitions."""

from shared.store.layout.partitioning import Partitioning

LAYOUT = Partitioning()
PARTITIONS, NUM_PARTITIONS = LAYOUT.all, LAYOUT.count
partition_of, keys_of = LAYOUT.of, LAYOUT.keys_of

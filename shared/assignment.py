"""Which worker should own which partition: the same answer in every worker, from the list of the living alone.

Rendezvous hashing (Thaler and Ravishankar, 1998) with a cap: partitions go to the workers that score highest for them,
best pairs first, and a worker that has its share gets no more. Loads differ by one at most, and few partitions move
when a worker comes or goes.
"""

import hashlib
from collections.abc import Collection

from shared.keys import NUM_PARTITIONS


def assign(workers: Collection[str], num_partitions: int = NUM_PARTITIONS) -> dict[int, str]:
    """Partition → worker id for every partition; empty where there is no worker. The workers' order is no matter."""
    if not workers:
        return {}
    loads = dict.fromkeys(workers, 0)
    share, num_larger = divmod(num_partitions, len(loads))
    pairs = [(_score(worker, partition), worker, partition) for worker in loads for partition in range(num_partitions)]
    pairs.sort(reverse=True)
    owners: dict[int, str] = {}
    for _, worker, partition in pairs:
        if partition in owners or loads[worker] > share or (loads[worker] == share and num_larger == 0):
            continue
        if loads[worker] == share:
            num_larger -= 1
        owners[partition] = worker
        loads[worker] += 1
    return owners


def share_of(worker: str, workers: Collection[str], num_partitions: int = NUM_PARTITIONS) -> frozenset[int]:
    """The partitions that fall to a worker."""
    return frozenset(partition for partition, owner in assign(workers, num_partitions).items() if owner == worker)


def _score(worker: str, partition: int) -> bytes:
    return hashlib.blake2b(f"{partition}:{worker}".encode(), digest_size=8).digest()

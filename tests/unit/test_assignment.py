"""Properties of the assignment, over many random sets of workers."""

import random
from collections import Counter

import pytest
from default_layout import NUM_PARTITIONS

from shared.service.tenancy import assign, share_of


def random_workers(seed: int) -> list[str]:
    rng = random.Random(seed)
    return [f"host-{rng.randrange(10**6)}-{index}" for index in range(rng.randint(1, 40))]


@pytest.mark.parametrize("seed", range(60))
def test_every_partition_has_one_owner_and_loads_differ_by_one_at_most(seed: int) -> None:
    workers = random_workers(seed)
    owners = assign(workers, NUM_PARTITIONS)
    loads = Counter(dict.fromkeys(workers, 0)) + Counter(owners.values())
    assert owners.keys() == set(range(NUM_PARTITIONS))
    assert max(loads.values()) - min(loads[worker] for worker in workers) <= 1


@pytest.mark.parametrize("seed", range(60))
def test_all_workers_find_the_same_whatever_order_they_learned_of_each_other_in(seed: int) -> None:
    workers = random_workers(seed)
    shuffled = random.Random(seed).sample(workers, len(workers))
    assert assign(shuffled, NUM_PARTITIONS) == assign(workers, NUM_PARTITIONS)
    shares = [share_of(worker, shuffled, NUM_PARTITIONS) for worker in workers]
    assert sorted(partition for share in shares for partition in share) == list(range(NUM_PARTITIONS))


@pytest.mark.parametrize("seed", range(60))
def test_few_partitions_move_when_a_worker_comes_or_goes(seed: int) -> None:
    workers = random_workers(seed)
    before, after = assign(workers, NUM_PARTITIONS), assign([*workers, "newcomer"], NUM_PARTITIONS)
    moved = sum(before[partition] != after[partition] for partition in range(NUM_PARTITIONS))
    unavoidable = NUM_PARTITIONS / (len(workers) + 1)
    assert moved <= unavoidable + 9


def test_nobody_alive_owns_nothing() -> None:
    assert assign([], NUM_PARTITIONS) == {}
    assert share_of("gone", ["other"], NUM_PARTITIONS) == frozenset()

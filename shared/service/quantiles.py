"""Quantiles of a Prometheus histogram, as Prometheus' `histogram_quantile` estimates them."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from prometheus_client.parser import text_string_to_metric_families

Buckets = Sequence[tuple[float, float]]


def buckets_of(exposition: str, name: str, labels: Mapping[str, str]) -> Buckets:
    """A histogram's (upper bound, cumulative count) pairs, lowest bound first; empty where there is no such series."""
    wanted = labels.items()
    return sorted(
        (float(sample.labels["le"]), sample.value)
        for family in text_string_to_metric_families(exposition)
        for sample in family.samples
        if sample.name == f"{name}_bucket" and wanted <= sample.labels.items()
    )


def quantile(share: float, buckets: Buckets) -> float | None:
    """The value below which a share of the observations lies, linear within a bucket; None where there are none.

    Where it lies in the last, unbounded bucket, the bound below that is the answer.
    """
    if not buckets or buckets[-1][1] == 0:
        return None
    rank = share * buckets[-1][1]
    for (lower, count_below), (upper, count) in pairwise([(0.0, 0.0), *buckets]):
        if count >= rank and count > count_below:
            return (
                lower
                if upper == float("inf")
                else lower + (upper - lower) * (rank - count_below) / (count - count_below)
            )
    return None


def since(before: Buckets, now: Buckets) -> Buckets:
    """A histogram's pairs for what was observed between two readings; `before` is empty where there was no series."""
    counts = dict(before)
    return [(bound, count - counts.get(bound, 0.0)) for bound, count in now]

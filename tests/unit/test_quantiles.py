"""Quantiles of a scraped histogram."""

import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from shared.service.quantiles import buckets_of, quantile


def scraped() -> str:
    registry = CollectorRegistry()
    histogram = Histogram("seconds_taken", "", ["pace"], buckets=(0.1, 0.2, 0.4), registry=registry)
    for value in (0.05, 0.15, 0.15, 0.3):
        histogram.labels("live").observe(value)
    histogram.labels("fast").observe(9.0)
    return generate_latest(registry).decode()


def test_only_the_wanted_series_is_read() -> None:
    assert buckets_of(scraped(), "seconds_taken", {"pace": "live"}) == [
        (0.1, 1.0),
        (0.2, 3.0),
        (0.4, 4.0),
        (float("inf"), 4.0),
    ]
    assert buckets_of(scraped(), "seconds_taken", {"pace": "slow"}) == []


@pytest.mark.parametrize(
    ("share", "expected"), [(0.25, 0.1), (0.5, 0.15), (0.75, 0.2), (0.99, 0.2 + 0.2 * 0.96), (1.0, 0.4)]
)
def test_quantile_is_linear_within_a_bucket(share: float, expected: float) -> None:
    assert quantile(share, buckets_of(scraped(), "seconds_taken", {"pace": "live"})) == pytest.approx(expected)


def test_beyond_the_last_bound_the_bound_is_the_answer() -> None:
    assert quantile(0.5, buckets_of(scraped(), "seconds_taken", {"pace": "fast"})) == 0.4


def test_no_observation_has_no_quantile() -> None:
    assert quantile(0.5, []) is None
    assert quantile(0.5, [(0.1, 0.0), (float("inf"), 0.0)]) is None

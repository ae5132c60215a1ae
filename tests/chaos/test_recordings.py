"""The short form of `make recordings`: killed while it cuts, and with room for few."""

import pytest

from chaos.recordings import Plan, attacked

KILLED = Plan(num_streams=6, num_events=12, num_kills=2, speed=6, lease_seconds=1)
CROWDED = Plan(num_streams=6, num_events=18, num_kills=1, speed=8, lease_seconds=1, limit_mb=1)


@pytest.mark.parametrize("plan", [KILLED, CROWDED], ids=["killed", "crowded"])
@pytest.mark.usefixtures("reference_data")
def test_events_are_recorded_or_it_is_said_why_not(
    plan: Plan, events_dir: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with attacked(plan, tmp_path_factory.mktemp("r"), events_dir) as report:
        assert report.problems == []
        assert sum(report.outcomes.values()) >= plan.num_events
        assert report.num_kills == plan.num_kills
        assert (report.outcomes["kept"] == plan.num_events) == (plan is KILLED)

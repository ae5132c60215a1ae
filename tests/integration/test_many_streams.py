"""The short form of `make scale`: what it measures is there, and streams at rest are on no page but the api's."""

from pathlib import Path

from scale.run import Plan, measure


def test_streams_at_rest_cost_ingest_and_inference_no_series(tmp_path: Path) -> None:
    tables: list[str] = []
    plan = Plan(streams=200, live=20, fps=2.0, played=2, seconds=0.5)
    report = measure(plan, tmp_path, lambda _: None, tables.append)
    told = {name: page.num_of_streams for name, page in report.pages.items()}
    assert told == {"ingest": 0, "inference": 0, "api": 2 * 200}
    assert report.live_pages["inference"].num_of_streams >= 20
    assert len(report.first_frames) == 2
    assert report.num_processed > 0
    assert all(answer.num_bytes for answer in report.lists.values())
    assert any("| api |" in each for each in tables)

"""A stream that is told to forget: once, whatever its worker dies of, and from there on as one that begins."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import redis
from api_server import running_api
from patience import eventually
from test_away import killed_after, killed_before, sent_twice
from worker_runner import LABELS, WorkerRunner, pictures, save_random_model, spec_of

from shared.store.commit import Committer, StreamCommit, StreamOutcome

FILM = pictures(30)
BEFORE = 20


@pytest.fixture
def runner(redis_client: redis.Redis, tmp_path: Path) -> Iterator[WorkerRunner]:
    save_random_model(tmp_path, enter=0.02)  # whatever it sees, everything goes on
    with WorkerRunner(redis_client, tmp_path) as running:
        yield running


def is_forgetting(commits: Sequence[StreamCommit]) -> bool:
    return any(event.close_reason == "forgotten" for each in commits for _, event in each.transitions)


@pytest.mark.parametrize("disturbance", [killed_before, killed_after, sent_twice])
def test_a_stream_forgets_once(
    disturbance: Callable[..., dict[str, StreamOutcome]],
    runner: WorkerRunner,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec, fresh = spec_of("cam"), spec_of("fresh", forgets=2)
    disturbed: list[Sequence[StreamCommit]] = []
    send = Committer.commit

    def commit(self: Committer, commits: Sequence[StreamCommit]) -> dict[str, StreamOutcome]:
        if disturbed or not is_forgetting(commits):
            return send(self, commits)
        disturbed.append(commits)
        return disturbance(send, self, commits)

    monkeypatch.setattr(Committer, "commit", commit)
    for each in (spec, fresh):
        runner.registry.add(each)
    runner.publish(spec, FILM[:BEFORE])
    runner.start()
    runner.wait_processed("cam", BEFORE)
    with running_api(redis_url, models_dir=runner.models_dir) as api:
        assert "forgets" not in api.http.post("/v1/streams/cam/forget").json()
        assert api.error(404, "POST", "/v1/streams/nobody/forget")["code"] == "stream_unknown"
    eventually(lambda: disturbed, "the commit that forgets")
    if disturbance is not sent_twice:
        runner.join()
        runner.start()
    for each in (spec, fresh):
        runner.publish(each, FILM[BEFORE:], first=BEFORE)
        runner.wait_processed(each.id, len(FILM) - BEFORE + (BEFORE if each is spec else 0))
    runner.stop()
    runner.start()  # once more: what was forgotten is not to be forgotten again
    runner.publish(spec, FILM[:1], first=len(FILM))
    runner.wait_processed("cam", len(FILM) + 1)
    before, after = runner.events("cam")[: len(LABELS)], runner.events("cam")[len(LABELS) :]
    assert [(event.state, event.close_reason) for event in before] == [("closed", "forgotten")] * len(LABELS)
    assert [(event.state, event.close_reason) for event in after] == [("open", None)] * len(LABELS)
    assert [event.memory_reset for event in after].count("forgotten") == 1
    anew = list(runner.scores("cam").values())[BEFORE : len(FILM)]
    assert np.allclose(anew, list(runner.scores("fresh").values()), atol=1e-4)

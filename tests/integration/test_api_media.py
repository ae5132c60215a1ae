"""Pictures and clips by the api: whole, in parts, and where there are none."""

from collections.abc import Iterator

import pytest
import redis
from api_server import BASE_MS, RunningApi, an_event, running_api, write_event
from default_layout import keys_of
from s3_server import KINDS, events_place

from services.api.media.places.opening import place_of
from services.api.media.records import KeptClip, MediaRecord
from services.api.media.routes import PART_BYTES

CLIP_BYTES = bytes(range(256)) * 40
RECORD = MediaRecord(
    state="kept",
    reason="2 of its frames were lost before",
    pictures={"opening": BASE_MS},
    clip=KeptClip(from_ms=BASE_MS, to_ms=BASE_MS + 1000, num_frames=7, width=256, height=192, frames_missing=2),
    num_bytes=10_244,
)


@pytest.fixture(scope="module", params=KINDS)
def where(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with events_place(request.param, tmp_path_factory.mktemp("api"), request) as named:
        yield named


@pytest.fixture(scope="module")
def server(redis_url: str, where: str) -> Iterator[RunningApi]:
    with running_api(redis_url, events_dir=where) as api:
        yield api


@pytest.fixture
def event_id(server: RunningApi, redis_client: redis.Redis, where: str) -> str:
    server.add("cam")
    event = write_event(redis_client, an_event("cam", BASE_MS))
    place_of(where, 10).put(event, "clip.mp4", CLIP_BYTES)
    place_of(where, 10).put(event, "opening.jpg", b"jpeg")
    redis_client.hset(keys_of("cam").media, event, RECORD.model_dump_json())
    return event


def test_an_event_tells_of_its_media(server: RunningApi, event_id: str) -> None:
    assert server.http.get(f"/v1/events/{event_id}").json()["media"] == RECORD.model_dump()
    [listed] = server.http.get("/v1/events").json()["items"]
    assert listed["media"]["clip"]["num_frames"] == 7


def test_files_come_whole_or_in_parts(server: RunningApi, event_id: str) -> None:
    path = f"/v1/events/{event_id}/clip.mp4"
    whole = server.http.get(path)
    assert (whole.status_code, whole.headers["content-type"], whole.content) == (200, "video/mp4", CLIP_BYTES)
    assert whole.headers["accept-ranges"] == "bytes"
    known = {"If-None-Match": f'"other", {whole.headers["etag"]}'}
    assert server.http.get(path, headers=known).status_code == 304
    part = server.http.get(path, headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, CLIP_BYTES[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(CLIP_BYTES)}"
    for asked, given in {"bytes=-6": CLIP_BYTES[-6:], "bytes=10000-": CLIP_BYTES[10_000:]}.items():
        assert server.http.get(path, headers={"Range": asked}).content == given
    for asked in ("bytes=5-2", "bytes=-", "lines=1-2", "bytes=0-1,4-5", "bytes=x"):
        ignored = server.http.get(path, headers={"Range": asked})
        assert (ignored.status_code, len(ignored.content)) == (200, len(CLIP_BYTES)), asked
    for asked in (f"bytes={len(CLIP_BYTES)}-", "bytes=-0"):
        refused = server.http.get(path, headers={"Range": asked})
        assert (refused.status_code, refused.headers["content-range"]) == (416, f"bytes */{len(CLIP_BYTES)}")
        assert refused.json()["errors"][0]["code"] == "no_such_range"
    picture = server.http.get(f"/v1/events/{event_id}/pictures/opening.jpg")
    assert (picture.content, picture.headers["content-type"]) == (b"jpeg", "image/jpeg")


def test_large_files_come_piece_by_piece(server: RunningApi, event_id: str, where: str) -> None:
    film, path = CLIP_BYTES * 160, f"/v1/events/{event_id}/clip.mp4"
    place_of(where, 10).put(event_id, "clip.mp4", film)
    whole = server.http.get(path)
    assert whole.content == film
    first = 2 * PART_BYTES - 1
    assert server.http.get(path, headers={"Range": f"bytes={first}-{first + 1}"}).content == film[first : first + 2]
    assert server.http.get(path, headers={"Range": "bytes=7-"}).content == film[7:]
    for asked, status in (({}, 200), ({"Range": "bytes=7-"}, 206), ({"If-None-Match": whole.headers["etag"]}, 304)):
        head = server.http.head(path, headers=asked)
        assert (head.status_code, head.content, head.headers["etag"]) == (status, b"", whole.headers["etag"])
    assert server.http.head(path).headers["content-length"] == str(len(film))
    older = {"Range": "bytes=7-", "If-Range": '"older"'}
    assert server.http.get(path, headers=older).status_code == 200
    assert server.http.get(path, headers=older | {"If-Range": whole.headers["etag"]}).status_code == 206


def test_what_is_missing_is_explained(server: RunningApi, redis_client: redis.Redis, event_id: str) -> None:
    error = server.error(404, "GET", f"/v1/events/{event_id}/pictures/peak.jpg")
    assert (error["code"], RECORD.reason in error["message"]) == ("media_missing", True)
    unheard = write_event(redis_client, an_event("cam", BASE_MS + 5))
    assert "no recorder" in server.error(404, "GET", f"/v1/events/{unheard}/clip.mp4")["message"]
    redis_client.hset(keys_of("cam").media, unheard, MediaRecord(state="recording").model_dump_json())
    assert "not cut yet" in server.error(404, "GET", f"/v1/events/{unheard}/clip.mp4")["message"]
    assert server.error(404, "GET", "/v1/events/cam.moved.1/clip.mp4")["code"] == "event_unknown"
    assert server.error(422, "GET", f"/v1/events/{event_id}/pictures/other.jpg")["field"] == "kind"
    assert server.http.get("/v1/events/..%2f..%2fcam.moved.1/clip.mp4").status_code in {404, 422}

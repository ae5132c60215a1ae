"""What the page is looked at with: the system as `afterimage up` runs it, real footage and clips with faults in it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import redis
from patience import eventually
from playwright.sync_api import Page
from running import Running, running

from shared.store.client import connect
from training.scenes.clips import render_demo_clip

YARD = "vtest.avi"
"""A yard with people, from real footage."""
ROOM = "room001.mp4"
OWN = {"yard": (YARD, "Yard", "north"), "room": (ROOM, "Room", "south")}
"""Its cameras: what each plays, its name and its group."""


@dataclass(frozen=True)
class House:
    """A running system, whose cameras play what lies under `media`."""

    system: Running
    media: Path

    @property
    def url(self) -> str:
        """Where its page is."""
        return self.system.url

    @property
    def key(self) -> str:
        """The admin key that `up` has made."""
        return (self.system.home / "afterimage" / "admin.key").read_text().strip()

    @cached_property
    def store(self) -> redis.Redis:
        """Its Redis, to write what happens otherwise in a day."""
        return connect(f"unix://{self.system.home / 'data' / 'redis' / 'redis.sock'}")

    def ask(self, method: str, path: str, body: object = None, **query: Any) -> Any:
        """What the api answers the admin, None where there is nothing."""
        reply = httpx.request(
            method, f"{self.url}{path}", json=body, params=query, headers=self.system.headers, timeout=60
        )
        assert reply.is_success, reply.text
        return reply.json() if reply.content else None

    def new_key(self, role: str, *groups: str) -> tuple[str, str]:
        """Another key: its id, and what is typed."""
        made = self.ask("POST", "/v1/keys", {"name": f"test {role}", "role": role, "groups": groups})
        return made["id"], made["key"]

    def play(self, stream_id: str, source: str, **fields: Any) -> None:
        """Registers a camera that plays a file over and over, unless it is there."""
        body = {"name": stream_id, "source": source, "loop": True, **fields}
        self.ask("PUT", f"/v1/streams/{stream_id}", body)

    def render(self, label: str) -> str:
        """The name of a clip in which one fault happens, 20 s long, to play; rendered once."""
        name = f"{label}.mp4"
        if not (self.media / name).exists():
            render_demo_clip(label, 0, self.media / name)
        return name

    def live(self, stream_id: str) -> None:
        """Waits until its pictures are looked at."""
        eventually(lambda: self.ask("GET", f"/v1/streams/{stream_id}")["frames_processed"], f"{stream_id} is looked at")

    def tidy(self) -> None:
        """Leaves it to others as it was: with its own cameras alone, live, and nobody who is told of anything."""
        for each in self.ask("GET", "/v1/streams", limit=1000)["items"]:
            if each["id"] not in OWN:
                self.ask("DELETE", f"/v1/streams/{each['id']}")
        for each in self.ask("GET", "/v1/targets")["items"]:
            self.ask("DELETE", f"/v1/targets/{each['id']}")
        self.play_own()

    def play_own(self) -> None:
        """Has its own cameras play, as they were at first."""
        for stream_id, (film, name, group) in OWN.items():
            self.play(stream_id, film, name=name, groups=[group])

    def event(self, stream_id: str, **query: Any) -> dict[str, Any]:
        """Its newest event, waited for; `state="closed"` and so on say of which kind."""
        found: list[dict[str, Any]] = eventually(
            lambda: self.ask("GET", "/v1/events", stream_id=stream_id, limit=1, **query)["items"],
            f"an event of {stream_id}",
        )
        return found[0]

    def enter(self, page: Page, key: str | None = None, place: str = "#/wall") -> Page:
        """Logs the page's browser in, the admin unless another key is given, and goes to a place of the page."""
        reply = page.context.request.post(f"{self.url}/v1/session", data={"key": key or self.key})
        assert reply.ok, reply.text()
        page.goto(f"{self.url}/{place}")
        page.locator("header.head").wait_for()
        return page


@contextmanager
def open_house(folder: Path, footage: Path) -> Iterator[House]:
    """A system with two cameras on real footage."""
    media, home = folder / "media", folder / "home"
    media.mkdir()
    shutil.copy(footage / "video" / YARD, media)
    shutil.copy(footage / "rooms" / ROOM, media)
    up = ("up", "--port", "0", "--data", str(home / "data"), "--media-root", str(media), "--device", "cpu")
    with running(*up, home=home, AFTERIMAGE_DELIVER_PRIVATE="true") as system:
        house = House(system, media)
        house.play_own()
        for stream_id in OWN:
            house.live(stream_id)
        yield house

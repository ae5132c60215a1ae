"""`afterimage demo`: one clip for each kind of incident, found or not, in one closing table."""

import re
from pathlib import Path

import httpx
import pytest
from patience import eventually
from running import running

LABELS = ("covered", "defocused", "moved", "frozen", "lights_out", "glitch", "activity")


@pytest.mark.parametrize("on_footage", [False, True])
def test_it_shows_what_it_finds_beside_the_truth_and_writes_in_its_folder_only(
    tmp_path: Path, reference_data: Path, *, on_footage: bool
) -> None:
    data = tmp_path / "home" / "demo"
    footage = ["--footage", str(reference_data / "rooms")] if on_footage else []
    with running("demo", "--data", str(data), "--device", "cpu", *footage, home=tmp_path / "home") as demo:
        assert demo.wait() == 0, (demo.lines, demo.errors)
        assert demo.alive() == {}
    text = "\n".join(demo.lines)
    for label in LABELS:
        assert (data / "clips" / f"{label}.mp4").is_file()
        pace = "live" if label == "activity" else "fast"
        assert re.search(rf"│ {label} +│ {pace} +│ 160 +│ \d+ +│ \d+ +│ \d+ +│ \d+ +│", text)
        on_real = re.search(rf"│ {label}, footage +│ fast +│ 160 +│ 1 +│ \d+ +│ \d+ +│ \d+ +│", text)
        assert bool(on_real) == (on_footage and label != "activity")
    assert re.search(r"truth 0:\d\d\.\d–0:\d\d\.\d", text)
    num_fast = 12 if on_footage else 6
    assert re.search(rf"{num_fast} fast streams: {160 * num_fast} frames in [\d.]+ s, \d+ frames/s", text)
    assert re.search(r"decode to commit: p50 \d+ ms, p99 \d+ ms", text)
    assert {path.name for path in data.iterdir()} == {"clips", "lock", "logs", "redis", "secret.key"}
    assert [path.name for path in data.parent.iterdir()] == ["demo"]


def test_one_that_stays_goes_on_and_says_where_it_is_seen(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with running("demo", "--stay", "--data", str(tmp_path / "demo"), "--device", "cpu", home=home) as demo:
        demo.line("starting ingest")
        url = demo.line("page   ").split()[1].rstrip("/")  # it may be looked at from the beginning on
        assert Path(demo.line("its login").split()[-1]).read_text().strip() in demo.headers["Authorization"]
        assert httpx.get(f"{url}/", timeout=60).raise_for_status().headers["Content-Type"].startswith("text/html")
        for part in ("registered at", "fast streams:", "the clips go on"):  # each may take a while
            demo.line(part)
        eventually(lambda: demo.lines.count(f"page         {url}/") == 2, "where it is seen, said again at the end")

        def open_labels() -> set[str]:
            reply = httpx.get(f"{url}/v1/events?state=open", headers=demo.headers, timeout=60).raise_for_status()
            return {event["label"] for event in reply.json()["items"]}

        eventually(lambda: len(open_labels()) >= 2, "faults that are open now")
        demo.interrupt()
        assert demo.wait(60) == 0, demo.errors
        assert demo.alive() == {}

"""docs/api.md as a stranger follows it: every command of it, in order, in one shell, on a running system."""

import csv
import json
import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import cv2
import pytest
from api_server import RunningApi
from documented import Command, blocks_of, commands_of, shell
from running import running
from standardwebhooks import Webhook
from web_server import Handler, web_server

from training.datasets.reading import read_dataset
from training.scenes.clips import render_demo_clip

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "api.md").read_text()
API = "http://127.0.0.1:8000"
HOOK = "https://hooks.example.com"
CLIPS = "data/demo/clips"


Taken = list[tuple[dict[str, str], bytes]]
"""Headers and body of each webhook."""


@contextmanager
def hook() -> Iterator[tuple[str, Taken]]:
    """The address of a receiver that takes everything, and what it has taken."""
    taken: Taken = []

    def take(handler: Handler) -> None:
        taken.append((dict(handler.headers), handler.rfile.read(int(handler.headers["Content-Length"]))))
        handler.reply(204)

    with web_server() as server:
        server.RequestHandlerClass = type("Hook", (Handler,), {"do_POST": take})
        yield server.url(""), taken


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make demo` leaves, as far as the document looks at it."""
    folder = tmp_path_factory.mktemp("demo")
    render_demo_clip("moved", 0, folder / "moved.mp4")
    return folder


def starting(media: Path) -> list[str]:
    """The arguments of the document's own line that starts the system, on these films and a free port."""
    found = re.search(r"`\.venv/bin/afterimage (up [^`]*)`", DOCUMENT)
    assert found
    arguments = shlex.split(found[1])
    return [*(str(media) if each == CLIPS else each for each in arguments), "--port", "0", "--device", "cpu"]


@pytest.mark.timeout(300)
def test_every_command_does_what_is_said_of_it(tmp_path: Path, media: Path) -> None:
    home, tour = tmp_path / ".local" / "share", tmp_path / "tour"
    tour.mkdir()
    up = starting(media)
    with hook() as (hook_url, taken), running(*up, home=home, AFTERIMAGE_DELIVER_PRIVATE="true") as system:
        url = system.url
        variables = {
            "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
            "PYTHONPATH": str(ROOT),
            "HOME": str(tmp_path),
            "XDG_DATA_HOME": str(home),
            "TMPDIR": str(tour),
            "AFTERIMAGE_URL": url,
        }
        commands = commands_of(DOCUMENT.replace(API, url).replace(HOOK, hook_url))
        with shell(tmp_path / "said", variables) as bash:
            said = {command.text.partition(" #")[0]: bash.run(command) for command in commands}
    (folder,) = tour.iterdir()
    check_files(folder, media)
    check_hook(taken, next(json.loads(answer) for text, answer in said.items() if '"id": "home"' in text))


def check_files(folder: Path, media: Path) -> None:
    """What the tour's commands wrote is what they say."""
    with av.open(folder / "clip.mp4") as clip:
        assert clip.streams.video[0].codec_context.name == "h264"
        assert sum(1 for _ in clip.decode(video=0)) > 100
    assert (folder / "part.mp4").read_bytes() == (folder / "clip.mp4").read_bytes()[:100]
    for picture in ("now.jpg", "before.jpg"):
        image = cv2.imread(str(folder / picture))
        assert image is not None
        assert image.shape == (192, 256, 3)
    assert (folder / "door.mjpeg").read_bytes().count(b"\xff\xd8\xff") >= 1
    rows = list(csv.DictReader((folder / "events.csv").read_text().splitlines()))
    assert {row["label"] for row in rows} == {"moved"}
    assert "wrong" in {row["feedback"] for row in rows}
    lines = (folder / "events.jsonl").read_text().splitlines()
    assert {row["id"] for row in rows} <= {json.loads(line)["id"] for line in lines}
    assert read_dataset(folder / "annotations.json", media).problems == ()
    assert (folder / "streams.yaml").read_text().startswith("streams:\n- id: door\n")


def check_hook(taken: Taken, target: dict[str, str]) -> None:
    """The receiver got the test, signed with the secret that was shown."""
    types = [Webhook(target["secret"]).verify(body, headers)["type"] for headers, body in taken]
    assert "event.test" in types


def test_nothing_that_it_has_to_type_is_left_out() -> None:
    assert {language for language, _ in blocks_of(DOCUMENT)} == {"bash", "yaml"}
    outside = re.sub(r"^```.*?^```$", "", DOCUMENT, flags=re.MULTILINE | re.DOTALL)
    assert not re.search(r"`[^`]*\bcurl (-|\$|\"|http)", outside)
    assert len(commands_of(DOCUMENT)) > 40
    assert [command.text for command in commands_of("```bash\na <<END\n$(\nEND\nb \\\n  'c\nd'  # 204\n```\n")] == [
        "a <<END\n$(\nEND",
        "b \\\n  'c\nd'  # 204",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("curl $API/v1/nothing", "should be HTTP 200"),
        ("curl $API/v1/version  # 404", "should be HTTP 404"),
        ('curl $API/v1/version  # "version": "0.0.0"', "should hold"),
        ("curl --max-time 0.5 -N $API/v1/events/live | grep -q nothing", "ended with 1"),
        ("(exit 28)", "ended with 28"),
        ("curl http://127.0.0.1:1/", "ended with 7"),
        ("cat nothing", "ended with 1"),
        ("false || exit 3", "ended the shell"),
    ],
    ids=range(8),
)
def test_a_command_that_breaks_is_told(server: RunningApi, tmp_path: Path, text: str, problem: str) -> None:
    with shell(tmp_path / "said", {"API": server.url}) as bash:
        assert '"version":' in bash.run(Command('curl $API/v1/version  # "version": "0.1.0"'))
        with pytest.raises(AssertionError, match=problem):
            bash.run(Command(text))

"""A recording is opened once, beneath the media root: whatever takes its place meanwhile leads nowhere."""

import ctypes
import errno
import itertools
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from films import VideoFile
from process_tree import descriptors

from services.ingest.sources import files
from services.ingest.sources.files import opened_file
from services.ingest.sources.video import open_video
from shared.errors import SourceFailed
from shared.sources import Source, check_file, parse_source

NUM_SWAPS = 2000
LED_AWAY = "leads out of the media root"


@pytest.fixture(params=["openat2", "walk"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """As kernels open it, and as it is opened where they know no `openat2`."""
    if request.param == "walk":
        monkeypatch.setattr(files, "_openat2", lambda _folder, _path: None)
    elif not kernel_knows_openat2():
        pytest.skip("this kernel has no openat2")
    return str(request.param)


def kernel_knows_openat2() -> bool:
    folder = os.open("/", os.O_RDONLY)
    try:
        fd = files._openat2(folder, ".")
    finally:
        os.close(folder)
    if fd is not None:
        os.close(fd)
    return fd is not None


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A media root with a file in a folder, and beside it what is not to be read."""
    root = tmp_path / "media"
    (root / "day").mkdir(parents=True)
    (root / "day" / "film").write_bytes(b"inside")
    (tmp_path / "day").mkdir()
    (tmp_path / "day" / "film").write_bytes(b"outside")
    return root


def content(source: Source) -> bytes:
    with opened_file(source) as fd:
        return os.read(fd, 100)


def by_file(root: Path) -> None:
    (root / "day" / "film").unlink()
    (root / "day" / "film").symlink_to(root.parent / "day" / "film")


def by_relative_link(root: Path) -> None:
    (root / "day" / "film").unlink()
    (root / "day" / "film").symlink_to("../../day/film")


def by_folder(root: Path) -> None:
    (root / "day").rename(root / "night")
    (root / "day").symlink_to(root.parent / "day")


def by_circle(root: Path) -> None:
    (root / "day" / "film").unlink()
    (root / "day" / "film").symlink_to("film")


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("swap", [by_file, by_relative_link, by_folder, by_circle])
def test_a_link_that_comes_between_check_and_opening_leads_nowhere(root: Path, swap: Callable[[Path], None]) -> None:
    source = parse_source("day/film", root)
    check_file(source)
    assert content(source) == b"inside"
    swap(root)
    with pytest.raises(SourceFailed, match=LED_AWAY):
        content(source)


@pytest.mark.usefixtures("way")
def test_whoever_swaps_all_the_time_gains_nothing(root: Path) -> None:
    source = parse_source("day/film", root)
    film, stop, num_swaps = root / "day" / "film", threading.Event(), itertools.count()

    def swap() -> None:
        (root / "aside").mkdir()
        link, file = root / "aside" / "link", root / "aside" / "file"
        while not stop.is_set():
            link.symlink_to(root.parent / "day" / "film")
            link.replace(film)
            file.write_bytes(b"inside")
            file.replace(film)
            next(num_swaps)

    swapper = threading.Thread(target=swap)
    swapper.start()
    seen = set[bytes]()
    try:
        while next(num_swaps) < NUM_SWAPS:
            try:
                seen.add(content(source))
            except SourceFailed as err:
                assert LED_AWAY in str(err)  # noqa: PT017
    finally:
        stop.set()
        swapper.join()
    assert seen <= {b"inside"}


def test_links_are_refused_through_the_reader_s_own_way_too(video_file: VideoFile, tmp_path: Path) -> None:
    outside, root = video_file("film.mp4"), tmp_path / "media"
    root.mkdir()
    (root / "film.mp4").write_bytes(outside.read_bytes())
    source = parse_source("film.mp4", root)
    with open_video(source) as video:
        assert next(video.frames(8.0, threading.Event())).point == 0
    (root / "film.mp4").unlink()
    (root / "film.mp4").symlink_to(outside)
    with pytest.raises(SourceFailed, match=LED_AWAY), open_video(source):
        pytest.fail("it cannot be open")


@pytest.mark.usefixtures("way")
def test_links_that_stay_inside_may_be_named(root: Path) -> None:
    (root / "latest").symlink_to("day")
    (root / "absolute").symlink_to(root / "day" / "film")
    for text in ("latest/film", "absolute", str(root / "latest" / "film"), (root / "day" / "film").as_uri()):
        assert content(parse_source(text, root)) == b"inside"


def test_a_link_inside_may_also_come_later(root: Path) -> None:
    """A folder that is moved and leaves a link behind."""
    if not kernel_knows_openat2():
        pytest.skip("this kernel has no openat2")
    source = parse_source("day/film", root)
    (root / "day").rename(root / "archive")
    (root / "day").symlink_to("archive")
    assert content(source) == b"inside"


@pytest.mark.usefixtures("way")
def test_a_root_that_is_a_link_itself_is_one(root: Path) -> None:
    (root.parent / "films").symlink_to(root)
    assert content(parse_source("day/film", root.parent / "films")) == b"inside"


@pytest.mark.usefixtures("way")
def test_dots_that_nobody_resolved_lead_nowhere(root: Path) -> None:
    with pytest.raises(SourceFailed, match=LED_AWAY):
        content(Source(str(root / ".." / "day" / "film"), root=str(root)))


@pytest.mark.usefixtures("way")
def test_what_is_missing_says_so(root: Path) -> None:
    source = parse_source("day/film", root)
    (root / "day" / "film").unlink()
    with pytest.raises(FileNotFoundError):
        content(source)
    with pytest.raises(SourceFailed, match=r"^no such file$"), open_video(source):
        pytest.fail("it cannot be open")


@pytest.mark.usefixtures("way")
def test_a_file_where_its_folder_was_means_that_it_is_missing(root: Path) -> None:
    source = parse_source("day/film", root)
    (root / "day").rename(root / "night")
    (root / "day").touch()
    with pytest.raises(SourceFailed, match=r"^no such file$"), open_video(source):
        pytest.fail("it cannot be open")


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("in_place", [os.mkfifo, os.mkdir], ids=["fifo", "folder"])
def test_what_is_no_regular_file_is_not_waited_for(root: Path, in_place: Callable[[Path], None]) -> None:
    source = parse_source("day/film", root)
    (root / "day" / "film").unlink()
    in_place(root / "day" / "film")
    began = time.monotonic()
    with pytest.raises(SourceFailed, match=r"^not a regular file$"), open_video(source):
        pytest.fail("it cannot be open")
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EPERM])
def test_a_kernel_or_filter_that_knows_no_such_call_is_done_without(
    number: int, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        ctypes.set_errno(number)
        return -1

    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: type("libc", (), {"syscall": staticmethod(refuse)}))
    assert content(parse_source("day/film", root)) == b"inside"


def test_no_descriptor_is_left(root: Path, video_file: VideoFile) -> None:
    video_file("film.mp4")
    (root.parent / "film.mp4").rename(root / "film.mp4")
    before = descriptors()
    for _ in range(3):
        with open_video(parse_source("film.mp4", root)) as video:
            assert list(video.frames(8.0, threading.Event()))
        with pytest.raises(SourceFailed, match="not a video file"), open_video(parse_source("day/film", root)):
            pytest.fail("it cannot be open")
    assert descriptors() == before

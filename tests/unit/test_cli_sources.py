"""What `analyze` is given to play."""

import os
from pathlib import Path

import pytest
from secret_forms import MISTYPED

from afterimage.sources import find_source, find_sources, local_path
from shared.errors import SourceRefused


def video(path: Path, mtime_seconds: float = 1000.0) -> Path:
    path.write_bytes(b"not looked into here")
    os.utime(path, (mtime_seconds, mtime_seconds))
    return path


def test_a_file_gets_the_same_id_and_base_time_every_time(tmp_path: Path) -> None:
    file = video(tmp_path / "front door (1).mp4", 1234.5)
    playlist = find_sources(str(file), None)
    assert playlist == find_sources(str(file), None)
    assert playlist.media_root == tmp_path
    [source] = playlist.sources
    assert (source.stream_id, source.base_ms) == ("front-door-1-mp4", 1_234_500)


def test_a_file_as_old_as_time_itself_has_a_base_time(tmp_path: Path) -> None:
    [source] = find_sources(str(video(tmp_path / "old.mp4", 0)), None).sources
    assert source.base_ms == 1


def test_a_folder_gives_its_videos_in_order_with_ids_of_their_own(tmp_path: Path) -> None:
    for name in ("b.mp4", "a b.mp4", "a-b.mp4", "notes.txt"):
        video(tmp_path / name)
    assert [source.stream_id for source in find_sources(str(tmp_path), None).sources] == [
        "a-b-mp4",
        "a-b-mp4-2",
        "b-mp4",
    ]


def test_in_a_folder_a_refused_file_leaves_the_others_be(tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    video(folder / "good.mp4")
    (folder / "outside.mp4").symlink_to(video(tmp_path / "elsewhere.mp4"))
    playlist = find_sources(str(folder), None)
    assert [source.name for source in playlist.sources] == ["good.mp4"]
    assert len(playlist.refused) == 1
    assert "outside the media root" in playlist.refused[0]


@pytest.mark.parametrize("text", ["rtsp://user:pw@host/main", "https://host/live.m3u8", "device:0"])
def test_a_camera_has_no_base_time(text: str) -> None:
    [source] = find_sources(text, None).sources
    assert source.base_ms is None
    assert find_source(text).location == source.location


def test_one_file_may_lie_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = video(tmp_path / "front door: 1.mp4")
    link = tmp_path / "elsewhere"
    link.mkdir()
    (link / "link.mp4").symlink_to(file)
    monkeypatch.chdir(tmp_path)
    for text in (str(file), f"file://{file}", file.as_uri(), "front door: 1.mp4", "elsewhere/link.mp4"):
        assert find_source(text).location == str(file)
    with pytest.raises(SourceRefused, match="is a directory"):
        find_source("elsewhere")


@pytest.mark.parametrize("form", MISTYPED)
def test_a_mistyped_source_is_not_repeated(form: str, tmp_path: Path) -> None:
    text = form.replace("{}", "s3cret")
    for named in (lambda: find_source(text), lambda: find_sources(text, None), lambda: find_sources(text, tmp_path)):
        with pytest.raises(SourceRefused) as refusal:
            named()
        assert "s3cret" not in str(refusal.value)
    assert local_path(form) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{tmp}/missing.mp4", "no such file"),
        ("{tmp}", "holds no video"),
        ("gopher://host/x", "scheme 'gopher' is not known"),
        ("rtsp://", "names no host"),
    ],
)
def test_what_cannot_be_played_is_refused_in_words(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(SourceRefused, match=why):
        find_sources(text.format(tmp=tmp_path), None)


def test_a_file_outside_the_media_root_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    with pytest.raises(SourceRefused, match="outside the media root"):
        find_sources(str(video(tmp_path / "secret.mp4")), root)

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


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Videos on three levels, a circle of links among them."""
    folder = tmp_path / "videos"
    for name in ("b.mp4", "a/b.mp4", "a/deep/B.MP4", "a-b.mp4", "notes/readme.txt", "clips.mp4/c.ts", "a/notes.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        video(folder / name)
    (folder / "a" / "circle").symlink_to(folder, target_is_directory=True)
    (folder / "linked").symlink_to(folder / "a", target_is_directory=True)
    return folder


def test_subfolders_are_looked_into_when_asked_in_the_order_of_their_paths(tree: Path) -> None:
    playlist = find_sources(str(tree), None, recursive=True)
    assert [(source.stream_id, source.name) for source in playlist.sources] == [
        ("a-b-mp4", "a/b.mp4"),
        ("a-deep-B-MP4", "a/deep/B.MP4"),
        ("a-b-mp4-2", "a-b.mp4"),
        ("b-mp4", "b.mp4"),
        ("clips-mp4-c-ts", "clips.mp4/c.ts"),
    ]
    assert playlist.media_root == tree
    assert (playlist.refused, playlist.skipped) == ((), ())
    assert playlist == find_sources(str(tree), None, recursive=True)


def test_subfolders_that_hold_videos_are_named_where_nobody_asked_for_them(tree: Path) -> None:
    playlist = find_sources(str(tree), None)
    assert [source.name for source in playlist.sources] == ["a-b.mp4", "b.mp4"]
    assert (playlist.refused, playlist.skipped) == ((), (tree / "a", tree / "clips.mp4"))


def test_a_folder_whose_subfolders_alone_hold_videos_says_so(tree: Path) -> None:
    for file in ("b.mp4", "a-b.mp4"):
        (tree / file).unlink()
    with pytest.raises(SourceRefused, match=r"holds no video .*; its subfolders do: --recursive looks into them"):
        find_sources(str(tree), None)
    with pytest.raises(SourceRefused, match="and no subfolder does"):
        find_sources(str(tree / "notes"), None, recursive=True)


def test_a_subfolder_that_cannot_be_read_leaves_the_others_be(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look = os.scandir

    def scandir(path: str | Path) -> object:
        if Path(path).name == "deep":
            raise PermissionError(13, "Permission denied", str(path))
        return look(path)

    monkeypatch.setattr(os, "scandir", scandir)
    playlist = find_sources(str(tree), None, recursive=True)
    assert len(playlist.sources) == 4
    assert playlist.refused == (f"folder {tree / 'a' / 'deep'}: Permission denied",)


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

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import SourceRefused
from shared.sources import MAX_CHARS, Source, check_file, parse_source
from shared.words.redaction import redact


def test_file_sources_stay_under_the_media_root(tmp_path: Path) -> None:
    root, outside = tmp_path / "media", tmp_path / "secret.mp4"
    root.mkdir()
    outside.touch()
    (root / "a.mp4").touch()
    (root / "link.mp4").symlink_to(outside)
    assert parse_source("a.mp4", root).location == str(root / "a.mp4")
    assert parse_source(f"file://{root}/a.mp4", root).location == str(root / "a.mp4")
    for escape in ("../secret.mp4", str(outside), "link.mp4", "/etc/passwd", "file:///etc/passwd"):
        with pytest.raises(SourceRefused, match="outside the media root"):
            parse_source(escape, root)


@pytest.mark.parametrize(
    "uri",
    [
        "file://{root}/b%C3%BCro%20%231%3F.mp4",
        "file://localhost{root}/b%c3%bcro%20%231%3f.mp4",
        "FILE://LocalHost{root}/b%C3%BCro%20%231%3F.mp4",
        " file:{root}/b%C3%BCro%20%231%3F.mp4\n",
        "file://{root}/day/../b%C3%BCro %231%3F.mp4",
    ],
)
def test_file_uris_are_read_as_rfc_8089_says(uri: str, tmp_path: Path) -> None:
    (tmp_path / "büro #1?.mp4").touch()
    source = parse_source(uri.format(root=tmp_path), tmp_path)
    check_file(source)
    assert source == Source(str(tmp_path / "büro #1?.mp4"), root=str(tmp_path))


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("file://nas/films/a.mp4", "another host's file; allowed are file:///path and file://localhost/path"),
        ("file://guard:s3cret@nas/a.mp4", "reads like a URL, but is none"),
        ("file://127.0.0.1/a.mp4", "another host's file"),
        ("file://a.mp4", "another host's file"),
        ("file://", "an absolute path"),
        ("file:a.mp4", "an absolute path; give a relative one without file:"),
        (" FILE:films/a.mp4", "without file:"),
        ("file://localhost", "an absolute path"),
        ("file:///a.mp4?x=1", "write ? as %3F"),
        ("file:///a.mp4#t=10", "# as %23"),
        ("file:///a%FF.mp4", "not UTF-8"),
        ("file:///a%00.mp4", "not a path"),
        ("file:///%2E%2E/%2e%2e/etc/passwd", "outside the media root"),
        ("file:///etc%2Fpasswd", "outside the media root"),
    ],
)
def test_other_file_uris_are_refused_for_a_reason(uri: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(SourceRefused) as refusal:
        parse_source(uri, tmp_path)
    assert problem in str(refusal.value)
    assert "s3cret" not in str(refusal.value)


def test_a_percent_in_a_plain_path_is_one(tmp_path: Path) -> None:
    assert parse_source("100%20.mp4", tmp_path).location == str(tmp_path / "100%20.mp4")


def test_looking_at_a_file_opens_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.mp4").touch()
    monkeypatch.setattr("io.open", lambda *_, **__: pytest.fail("it was opened"))
    monkeypatch.setattr("os.open", lambda *_, **__: pytest.fail("it was opened"))
    check_file(parse_source("a.mp4", tmp_path))


def test_paths_that_are_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "round").symlink_to(tmp_path / "round")
    for text in ("round/a.mp4", "a" * 300, "\ud800.mp4", "concat:a.mp4|b.mp4", "http:/a", "missing.mp4"):
        with pytest.raises(SourceRefused):
            check_file(parse_source(text, tmp_path))


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("rtsp://10.0.0.5/live", Source("rtsp://10.0.0.5/live", "rtsp")),
        (" RTSPS://cam.example:322/live\n", Source("rtsps://cam.example:322/live", "rtsp")),
        ("http://[::1]:8080/mjpg?fps=5", Source("http://[::1]:8080/mjpg?fps=5", "http")),
        ("https://cam_1/a b".replace(" ", "%20"), Source("https://cam_1/a%20b", "http")),
        ("http://cam/büro", Source("http://cam/b%C3%BCro", "http")),
        ("device:0", Source("/dev/video0", "device")),
        ("device:63", Source("/dev/video63", "device")),
    ],
)
def test_sources_by_kind(text: str, source: Source, tmp_path: Path) -> None:
    assert parse_source(text, tmp_path) == source
    assert not source.is_file


@pytest.mark.parametrize(
    ("login", "encoded"),
    [
        ("guard:sesame", "guard:sesame"),
        ("guard:p@ss", "guard:p%40ss"),
        ("guard:p@w:r/d?1#2", "guard:p%40w:r%2Fd%3F1%232"),
        ("guard:p@ss/word", "guard:p%40ss%2Fword"),
        ("guard:12345/6", "guard:12345%2F6"),
        ("guard:50%", "guard:50%25"),
        ("guard:50%25", "guard:50%25"),
        ("guard:a%40b", "guard:a%40b"),
        ("gu@rd:[x]", "gu%40rd:%5Bx%5D"),
        ("wächter:ö", "w%C3%A4chter:%C3%B6"),
        ("guard", "guard"),
        (":secret", ":secret"),
    ],
)
@pytest.mark.parametrize("rest", ["10.0.0.5", "10.0.0.5:554/live@2x?mail=a@b", "[fd00::5]/live"])
def test_passwords_may_hold_what_they_like(login: str, encoded: str, rest: str, tmp_path: Path) -> None:
    location = parse_source(f"rtsp://{login}@{rest}", tmp_path).location
    assert location == f"rtsp://{encoded}@{rest}"
    assert login.partition(":")[2] not in redact(location) or login == "guard"


@given(
    st.text("aB1ö-_~@:/?#%&=+!$'(){}|^`\\<>;,", max_size=20).filter(
        lambda text: not re.search("%[0-9a-fA-F]{2}", text)
    ),
    st.sampled_from(["10.0.0.5", "10.0.0.5:8554", "[fd00::5]:554"]),
    st.sampled_from(["", "/", "/live@2x", "?a=b@c", "/a#b"]),
)
def test_any_password_comes_back_as_it_was_typed(password: str, host: str, tail: str) -> None:
    location = parse_source(f"rtsp://guard:{password}@{host}{tail}", Path("/")).location
    url = urlsplit(location)
    assert unquote(url.password or "") == password
    assert url.netloc.rpartition("@")[2] == host
    assert location.endswith(f"@{host}{tail}")


@given(st.text(max_size=60), st.sampled_from(["", "rtsp://", "http://u:p@", "device:", "file://"]))
def test_any_text_is_a_source_or_refused(text: str, start: str) -> None:
    try:
        source = parse_source(start + text, Path("/media"))
    except SourceRefused:
        return
    assert source.kind in ("file", "rtsp", "http", "device")
    assert source.kind == "file" or source.location.isascii()
    assert source.kind != "file" or source.location.startswith("/media")


@pytest.mark.parametrize("text", ["rtsp://cam/live@2x", "http://frigate:5000/api/x@v1.2", "rtsp://cam.local/?to=a@b"])
def test_what_reads_as_a_url_without_login_is_one(text: str, tmp_path: Path) -> None:
    assert parse_source(text, tmp_path).location == text


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("ftp://u:s3cret@host/a", "scheme 'ftp' is not known; allowed are rtsp://"),
        ("rtsp:///nohost", "names no host"),
        ("http://?a", "names no host"),
        ("rtsp://u:s3cret@host:99999/", "port from 1 to 65535"),
        ("rtsp://u:s3cret@host:0/", "port from 1 to 65535"),
        ("rtsp://u:s3cret@[::zz]/", "not a valid URL"),
        ("rtsp://u:s3cret@[1:2]/", "not a valid URL"),
        ("rtsp://u:s3cret@ho\\st/", "not a valid URL"),
        ("rtsp://u:s3cret x@host/", "write a space as %20"),
        ('rtsp://u:s3cret"x@host/', "a quotation mark"),
        ("rtsp://u:s3cret\r\nx@host/", "a control character"),
        (f"rtsp://u:s3cret{'ä' * 60}@host/", "allowed are 127"),
        ("rtsp://host/" + "a" * MAX_CHARS, f"allowed are {MAX_CHARS}"),
        ("device:64", "not a device's number; allowed are rtsp://"),
        ("device:-1", "not a device's number"),
        ("device:/dev/sda", "not a device's number"),
        ("device:", "not a device's number"),
        ("  ", "empty"),
        ("a\0.mp4", "empty or not text"),
    ],
)
def test_other_sources_are_refused_without_their_credentials(source: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(SourceRefused) as refusal:
        parse_source(source, tmp_path)
    assert problem in str(refusal.value)
    assert "s3cret" not in str(refusal.value)

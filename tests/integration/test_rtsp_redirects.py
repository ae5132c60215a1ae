"""RTSP cameras that redirect: where to, and what is not sent along."""

import re
from itertools import pairwise

import pytest
from odd_manners import Manners
from odd_rtsp import odd_camera
from test_opening_rtsp import failure, read
from test_rtsp_odd import LOGIN, seconds_of

from shared.errors import SourceFailed


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary"])
def test_no_login_goes_where_a_camera_redirects(status: str) -> None:
    with odd_camera() as other, odd_camera(Manners(auth=("basic",))) as camera:
        camera.manners.answers["DESCRIBE"] = status, f"Location: {other.url('evil:seed@')}\r\n"
        assert read(camera.url(LOGIN)) == "h264"
        assert "authorization" in camera.asked[-1].headers
        assert "PLAY" in other.methods()
        assert not any("authorization" in asked.headers for asked in other.asked)


@pytest.mark.parametrize("auth", [("basic",), ("MD5",), ("SHA-256",)])
def test_no_login_goes_there_if_it_asks_for_one(auth: tuple[str, ...]) -> None:
    with odd_camera(Manners(auth=auth)) as other, odd_camera(Manners(auth=("basic",))) as camera:
        camera.manners.answers["DESCRIBE"] = "302 Found", f"Location: {other.url()}\r\n"
        reason = failure(camera.url(LOGIN))
        assert f"redirects to 127.0.0.1 port {other.port}, where no login is sent" in reason
        assert other.asked
        assert not any("authorization" in asked.headers for asked in other.asked)


def test_a_login_does_not_come_back_by_a_detour() -> None:
    with odd_camera() as other, odd_camera(Manners(auth=("basic",))) as camera:
        camera.manners.answers["DESCRIBE"] = "302 Found", f"Location: {other.url()}\r\n"
        other.manners.answers["DESCRIBE"] = "302 Found", f"Location: {camera.url()}\r\n"
        before = len(camera.asked)
        assert "where no login is sent" in failure(camera.url(LOGIN))
        sent = [asked for asked in camera.asked[before:] if "authorization" in asked.headers]
        assert {asked.method for asked in sent} == {"OPTIONS", "DESCRIBE"}
        assert "authorization" not in camera.asked[-1].headers


@pytest.mark.parametrize("to", ["rtsp://169.254.169.254/x", "http://127.0.0.1/", "rtsp:///x", "rtsp://[/x", ""])
def test_a_redirect_that_leads_nowhere(to: str) -> None:
    with odd_camera(Manners(answers={"DESCRIBE": ("302 Found", f"Location: {to}\r\n")})) as camera:
        assert re.search("is refused|neither rtsp:// nor rtsps://", failure(camera.url()))


class Once(dict[str, tuple[str, str]]):
    """Answers that a camera gives once."""

    def __getitem__(self, method: str) -> tuple[str, str]:
        return self.pop(method)


@pytest.mark.parametrize(("to", "path"), [("/other", "/other"), ("other?to=1", "/other?to=1")])
def test_a_redirect_may_name_a_path_of_the_camera(to: str, path: str) -> None:
    answers = Once(DESCRIBE=("302 Found", f"Location: {to}\r\n"))
    with odd_camera(Manners(auth=("SHA-256",), answers=answers)) as camera:
        assert read(camera.url(LOGIN)) == "h264"
        *_, described = [asked for asked in camera.asked if asked.method == "DESCRIBE"]
        assert described.url == f"rtsp://127.0.0.1:{camera.port}{path}"
        assert "authorization" in described.headers


def test_a_circle_of_redirects() -> None:
    with odd_camera() as camera:
        camera.manners.answers["DESCRIBE"] = "302 Found", f"Location: {camera.url()}\r\n"
        assert failure(camera.url()) == "redirected more than 5 times"


def test_a_redirect_in_mid_stream_goes_on_as_one_stream() -> None:
    late = Manners(first_number=99, first_ticks=5)
    with odd_camera(late) as other, odd_camera(Manners(auth=("MD5",))) as camera:
        camera.manners.redirects_after = 10, other.url()
        seconds = seconds_of(camera.url(LOGIN), 30)
        steps = [after - before for before, after in pairwise(seconds)]
        assert max(steps) < 5
        assert seconds == sorted(set(seconds))
        assert "TEARDOWN" in camera.methods()
        assert "PLAY" in other.methods()
        assert not any("authorization" in asked.headers for asked in other.asked)


def test_a_redirect_in_mid_stream_leads_to_no_forbidden_place() -> None:
    with odd_camera() as other, odd_camera(Manners(redirects_after=(5, ""))) as camera:
        camera.manners.redirects_after = 5, other.url()
        with pytest.raises(SourceFailed, match="Redis"):
            read(camera.url(), num_frames=500, forbidden=(f"localhost:{other.port}",))
        assert other.asked == []

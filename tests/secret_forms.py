"""Texts that hold a secret where cameras, recorders and people put one: `{}` stands for it."""

import json
from pathlib import Path

from patience import unavailable

CASES = Path(__file__).resolve().parents[2] / "shared" / "cases" / "secrets.json"

SECRETS_FOLLOW = ("streamkey", "accesskey", "bearer", "passwort", "mdp", "pin", "adm", "root", "t", "access")

SOURCES = (
    "rtsp://user:{}@127.0.0.1:9/s",
    "RTSP://user:{}@127.0.0.1:9/s",
    "rtsps://{}@127.0.0.1:9/s",
    "http://user:{}@[::1]:9/s",
    "https://user:a@{}@127.0.0.1:9/s",
    "rtsp://user:a/{}@127.0.0.1:9/s",
    "rtsp://user:1/{}@127.0.0.1:9/s",
    "rtsp://user:a?{}#b@127.0.0.1:9/s",
    "rtsp://user:a,{}@127.0.0.1:9/s",
    "rtsp://{}/x@localhost:9/s",
    "rtsp://u.ser:9/{}/x@localhost:9/s",
    "http://127.0.0.1:9/v?anything={}",
    "http://127.0.0.1:9/v?x[pass]={}&y=1",
    "http://127.0.0.1:9/v?{}",
    "http://127.0.0.1:9/v?a=1;{}",
    "http://127.0.0.1:9/v?a=b&{}",
    "http://127.0.0.1:9/v?rtsp://u:{}@10.0.0.1/x=1",
    "http://127.0.0.1:9/v?q=a?{}",
    "http://127.0.0.1:9/v#{}",
    "http://127.0.0.1:9/v#access_token={}",
    "http://127.0.0.1:9/cgi;jsessionid={}/v",
    "http://127.0.0.1:9/v%3Ftoken%3D{}",
    "http://127.0.0.1:9/v%253Ftoken%253D{}",
    "rtsp://127.0.0.1:9/user=admin_password={}_channel=1_stream=0.sdp?real_stream",
    "rtsp://127.0.0.1:9/user=admin&password={}&channel=1&stream=0.sdp",
    "rtsp://127.0.0.1:9/password=a/b={}",
    "rtsp://127.0.0.1:9/0/user:{}/main",
    "rtsp://127.0.0.1:9/ch1/{}@2x",
    "rtsp://127.0.0.1:9/user/admin/password/{}/1",
    "http://127.0.0.1:9/token/{}/index.m3u8",
    "http://127.0.0.1:9/live/admin/{}/1234.ts",
    "http://127.0.0.1:9/admin/{}/1234",
    "rtsp://127.0.0.1:9/admin/{}/main",
    "http://127.0.0.1:9/v？token＝{}",
    "rtsp://user:<'{}'>@127.0.0.1:9/s",
    "http://127.0.0.1:9/pwd_{}/1",
    "http://127.0.0.1:9/~{}/1",
    "http://127.0.0.1:9/accessToken-{}/1",
    "http://127.0.0.1:9/redir/http%3A%2F%2Fu%3A{}%40127.0.0.1%2Fx",
    "http://127.0.0.1:9/http://u:{}@127.0.0.1/x",
    *(f"http://127.0.0.1:9/s/{name}/{{}}" for name in SECRETS_FOLLOW),
    *(f"rtsp://127.0.0.1:9/{name}{mark}{{}}" for name in ("admin", "superuser", "streamkey") for mark in "_-."),
    "rtsps://127.0.0.1:7441/{}?enableSrtp",
    "rtsp://127.0.0.1:7447/{}",
)
"""Well formed."""

MISTYPED = (
    "ftp://user:{}@127.0.0.1/s",
    "rtmp://127.0.0.1/live?key={}",
    "{}://127.0.0.1/s",
    "rtsp://user:{}@127.0.0.1:99999/s",
    "rtsp://user:{}@127.0.0.1:port/s",
    "rtsp://user:pa {}@127.0.0.1/s",
    "rtsp://user:{} @127.0.0.1/s",
    "rtsp://user:{}\t@127.0.0.1/s",
    "rtsp://user:{}\n@127.0.0.1/s",
    'rtsp://user:{}"x@127.0.0.1/s',
    "rtsp://user:{}@/s",
    "rtsp:///user:{}@127.0.0.1/s",
    "rtsp://user:{}@[::zz]/s",
    "rtsp://user:{}@<ip>/s",
    "rtsp://user:{}" + "x" * 300 + "@127.0.0.1/s",
    "rtsp://user:{}@127.0.0.1/" + "x" * 3000,
    "rtsp:/user:{}@127.0.0.1/s",
    "rtsp:user:{}@127.0.0.1/s",
    "rtsp//user:{}@127.0.0.1/s",
    "rtsp;//user:{}@127.0.0.1/s",
    "rtsp：//user:{}@127.0.0.1/s",
    "user:{}＠127.0.0.1/s",
    "rtsp://user:{}＠127.0.0.1/s",
    "rtsp://user:{}%40127.0.0.1/s",
    "://user:{}@127.0.0.1/s",
    "ffplay 'rtsp://user:{}@127.0.0.1/s'",
    "rtsp ://user:{}@127.0.0.1/s",
    "http:\\\\user:{}@127.0.0.1\\s",
    "http:/127.0.0.1/v?token={}",
    "127.0.0.1:7447/{}",
    "user:{}@127.0.0.1/s",
    "{}@127.0.0.1/s",
    "//user:{}@127.0.0.1/s",
    "file://user:{}@127.0.0.1/s",
    "file:///user:{}@127.0.0.1/s",
    "url=rtsp://user:{}@127.0.0.1/s",
    '"rtsp://user:{}@127.0.0.1/s"',
    "<rtsp://user:{}@127.0.0.1/s>",
    "-rtsp_transport tcp -i rtsp://user:{}@127.0.0.1/s",
    "rtsp%3A%2F%2Fuser%3A{}%40127.0.0.1%2Fs",
    "rtsp://user:***@127.0.0.1/s?token={}",
    'http://127.0.0.1:9/v?q={"password":"{}"}',
    "-user admin -pass {} rtsp://127.0.0.1/s",
    "password: {} rtsp://127.0.0.1/s",
    "rtsp:/127.0.0.1/admin {}",
)
"""Refused, or a file that is not there."""

RECEIVERS = {
    "webhook": (
        "http://user:{}@127.0.0.1:9/in",
        "http://{}@127.0.0.1:9/in",
        "HTTP://user:a@{}@127.0.0.1:9/in",
        "http://user:a/{}@127.0.0.1:9/in",
        "http://127.0.0.1:9/{}",
        "http://127.0.0.1:9/services/T01/B02/{}",
        "http://127.0.0.1:9/api/webhook/{}",
        "http://127.0.0.1:9/in/x@{}",
        "http://127.0.0.1:9/in?token={}",
        "http://127.0.0.1:9?{}",
        "http://127.0.0.1:9/in#{}",
        "https://[::1]:9/in;v={}",
    ),
    "mqtt": (
        "mqtt://user:{}@127.0.0.1:9/home",
        "mqtt://{}@127.0.0.1:9",
        "mqtts://user:a@{}@127.0.0.1:9/home",
        "mqtt://user:a/{}@127.0.0.1:9",
        "mqtt://127.0.0.1:9/home?password={}",
        "mqtt://127.0.0.1:9/token/{}",
    ),
    "apprise": (
        "json://user:{}@127.0.0.1:9/",
        "json://127.0.0.1:9/{}",
        "json://127.0.0.1:9/?+X-Token={}",
        "xml://user:{}@127.0.0.1:9/",
        "ntfy://user:{}@127.0.0.1:9/topic",
        "ntfy://127.0.0.1:9/{}",
        "gotify://127.0.0.1:9/{}",
        "mailto://user:{}@127.0.0.1:9?from=a@example.com&to=b@example.com",
        "mqtt://user:{}@127.0.0.1:9/topic",
        "matrix://user:{}@127.0.0.1:9/room",
    ),
}
"""URLs of targets, by kind; nothing answers there."""


def reference_forms(kind: str) -> list[str]:
    """Those that others found: `sources` or `mistyped`; skips the test where they are not here."""
    if not CASES.is_file():
        unavailable("the reference cases (../shared/cases)")
    forms: dict[str, str] = json.loads(CASES.read_text())[kind]
    return [form.replace("{port}", "9") for form in forms.values()]

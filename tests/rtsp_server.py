"""Serves an MP4 as an RTSP camera, in real time: `python3 rtsp_server.py PORT FILE [USER PASSWORD]`.

`--codec` says what the file holds, if not H.264; `--tls` names a certificate with its key, for rtsps; `--address` is
where it listens.

Runs under the system's Python, whose GStreamer bindings no virtual environment has. Port 0 takes a
free one; the port is printed once it listens. It ends when its standard input closes.
"""

import argparse
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtspServer  # noqa: E402

PAYLOADERS = {
    "h264": "h264parse ! rtph264pay config-interval=1",
    "h265": "h265parse ! rtph265pay config-interval=1",
    "mjpeg": "rtpjpegpay",
}


def require_login(
    auth: GstRtspServer.RTSPAuth, factory: GstRtspServer.RTSPMediaFactory, user: str, password: str
) -> None:
    """Lets only this user see the stream (RTSP basic authentication)."""
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role("viewer", "media.factory.access", True)  # noqa: FBT003
    permissions.add_permission_for_role("viewer", "media.factory.construct", True)  # noqa: FBT003
    factory.set_permissions(permissions)


def main() -> None:
    """Serves until standard input closes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port")
    parser.add_argument("path")
    parser.add_argument("login", nargs="*")
    parser.add_argument("--codec", default="h264", choices=PAYLOADERS)
    parser.add_argument("--tls")
    parser.add_argument("--address", default="127.0.0.1")
    wanted = parser.parse_args()
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address(wanted.address)
    server.set_service(wanted.port)
    factory = GstRtspServer.RTSPMediaFactory()
    payload = f"{PAYLOADERS[wanted.codec]} name=pay0"
    factory.set_launch(f'( filesrc location="{wanted.path}" ! qtdemux ! {payload} )')
    factory.set_shared(False)
    auth = GstRtspServer.RTSPAuth()
    if wanted.login:
        require_login(auth, factory, *wanted.login)
    if wanted.tls:
        auth.set_tls_certificate(Gio.TlsCertificate.new_from_file(wanted.tls))
    if wanted.login or wanted.tls:
        server.set_auth(auth)
    server.get_mount_points().add_factory("/camera", factory)
    loop = GLib.MainLoop()
    server.attach(None)
    GLib.io_add_watch(sys.stdin, GLib.PRIORITY_DEFAULT, GLib.IO_HUP | GLib.IO_IN, lambda *_: loop.quit())
    print(server.get_bound_port(), flush=True)
    loop.run()


if __name__ == "__main__":
    main()

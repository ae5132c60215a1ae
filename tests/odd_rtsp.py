"""An RTSP camera with the manners of odd ones, which notes down all that it is asked."""

import re
import socket
import struct
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from odd_login import Gate
from odd_manners import Asked, Manners
from rtp_film import clip, packets_of

VIDEO = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n{fmtp}a=control:{control}\r\n"


class OddCamera:
    """Listens from the beginning; `odd_camera` ends it."""

    def __init__(self, manners: Manners) -> None:
        self.manners = manners
        self.asked: list[Asked] = []
        self.answered: list[str] = []
        """status lines of the answers to its own requests"""
        self.is_over = threading.Event()
        self.tunnels: dict[str, socket.socket] = {}
        self.links: list[socket.socket] = []
        self.gate = Gate(manners)
        self._listening = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listening.getsockname()[1])

    def url(self, login: str = "", scheme: str = "rtsp") -> str:
        """What it is watched by."""
        return f"{scheme}://{login}127.0.0.1:{self.port}/live?channel=1"

    def methods(self) -> list[str]:
        """What it was asked, in turn."""
        return [asked.method for asked in self.asked]

    def close(self) -> None:
        """Hangs up on everybody."""
        self.is_over.set()
        for link in (self._listening, *self.links):
            with suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
            link.close()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                link, _ = self._listening.accept()
                self.links.append(link)
                threading.Thread(target=self._greet, args=(link,), daemon=True).start()

    def _greet(self, link: socket.socket) -> None:
        with suppress(OSError, ValueError):
            if self.manners.tls:
                link = self.manners.tls.wrap_socket(link, server_side=True)
                self.links.append(link)
            if self.manners.tunnel:
                self._tunnel(link)
            else:
                Talk(self, Lines(link.recv), link).run()

    def _tunnel(self, link: socket.socket) -> None:
        lines = Lines(link.recv)
        asked = lines.request()
        self.asked.append(asked)
        if "x-sessioncookie" not in asked.headers:
            link.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")
        elif refusal := self.gate.refusal_of(asked):
            link.sendall(f"HTTP/1.0 401 Unauthorized\r\n{refusal}\r\n".encode())
            link.shutdown(socket.SHUT_RDWR)
        elif asked.method == "GET":
            self.tunnels[asked.headers["x-sessioncookie"]] = link
            link.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: application/x-rtsp-tunnelled\r\nContent-Length: 9\r\n\r\n")
        else:
            coded = lines.rest

            def receive(size: int) -> bytes:
                nonlocal coded
                while len(coded) < 4:
                    if not (data := link.recv(size)):
                        return b""
                    coded += data
                whole, coded = coded[: len(coded) // 4 * 4], coded[len(coded) // 4 * 4 :]
                return b"".join(b64decode(part) for part in re.findall(rb"[^=]+={0,2}", whole))

            Talk(self, Lines(receive), self.tunnels[asked.headers["x-sessioncookie"]]).run()


def batched(packets: list[bytes]) -> list[list[bytes]]:
    """By two."""
    return [packets[index : index + 2] for index in range(0, len(packets), 2)]


@contextmanager
def odd_camera(manners: Manners | None = None) -> Iterator[OddCamera]:
    """A camera that runs as long as the block does."""
    camera = OddCamera(manners or Manners())
    try:
        yield camera
    finally:
        camera.close()


class Lines:
    """Requests, and answers, out of bytes."""

    def __init__(self, receive: Callable[[int], bytes]) -> None:
        self._receive = receive
        self.rest = b""

    def request(self) -> Asked:
        """Raises OSError at the end."""
        while not (first := self._line()):
            pass
        method, _, rest = first.partition(" ")
        headers = {}
        while line := self._line():
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        return Asked(method, rest.rpartition(" ")[0], headers)

    def _line(self) -> str:
        while b"\n" not in self.rest:
            if not (data := self._receive(4096)):
                raise ConnectionResetError
            self.rest += data
        line, self.rest = self.rest.split(b"\n", 1)
        return line.decode().rstrip("\r")


class Talk:
    """One client's requests, answered one after another, and its pictures between them."""

    def __init__(self, camera: OddCamera, lines: Lines, link: socket.socket) -> None:
        self._camera = camera
        self._manners = camera.manners
        self._lines = lines
        self._link = link
        self._lock = threading.Lock()
        self._client: tuple[str, int] | None = None
        self._udp: socket.socket | None = None

    def run(self) -> None:
        """Until the client leaves."""
        while not self._camera.is_over.is_set():
            asked = self._lines.request()
            if asked.method.startswith("RTSP/"):
                self._camera.answered.append(asked.url)
                continue
            self._camera.asked.append(asked)
            if "cseq" not in asked.headers:
                self._say(b"RTSP/1.0 400 Bad Request\r\n\r\n")
                continue
            self._answer(asked)
            if asked.method == "TEARDOWN":
                return

    def _answer(self, asked: Asked) -> None:
        manners = self._manners
        if refusal := self._camera.gate.refusal_of(asked):
            self._reply(asked, "401 Unauthorized", refusal)
            if manners.hangs_up_when_refusing:
                self._link.shutdown(socket.SHUT_RDWR)
        elif asked.method in manners.answers:
            self._reply(asked, *manners.answers[asked.method])
        elif asked.method == "DESCRIBE":
            self._describe(asked)
        elif asked.method == "SETUP":
            self._set_up(asked)
        elif asked.method == "PLAY":
            player = threading.Thread(target=self._play, daemon=True)
            if manners.is_eager:
                player.start()
                player.join(0.2)
            self._reply(asked, "200 OK", "Session: 42\r\n")
            if not manners.is_eager:
                player.start()
        else:
            self._reply(asked, "200 OK", "Public: OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN\r\n")

    def _describe(self, asked: Asked) -> None:
        units = [unit for picture in clip() for unit in picture]
        sets = [b64encode(next(unit for unit in units if unit[0] & 0x1F == kind)).decode() for kind in (7, 8)]
        fmtp = f"a=fmtp:96 packetization-mode=1;sprop-parameter-sets={','.join(sets)}\r\n" if self._manners.fmtp else ""
        video = VIDEO.format(fmtp=fmtp, control=self._manners.control)
        sdp = f"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=odd\r\nt=0 0\r\n{self._manners.tracks_before}{video}"
        self._reply(asked, "200 OK", f"Content-Type: application/sdp\r\nContent-Length: {len(sdp)}\r\n", sdp)

    def _set_up(self, asked: Asked) -> None:
        wanted = asked.headers["transport"]
        channels = re.search(r"interleaved=([0-9]+)-", wanted)
        ports = re.search(r"client_port=([0-9]+)-", wanted)
        if channels:
            agreed = f"RTP/AVP/TCP;unicast;interleaved={channels[1]}-{int(channels[1]) + 1}"
            if asked.url.endswith(self._manners.control):
                self._client = "", int(channels[1])
        else:
            assert ports
            self._udp = socket.socket(type=socket.SOCK_DGRAM)
            self._udp.bind(("127.0.0.1", 0))
            self._camera.links.append(self._udp)
            self._client = "127.0.0.1", int(ports[1])
            agreed = f"RTP/AVP;unicast;client_port={ports[1]};server_port={self._udp.getsockname()[1]}-1"
        self._reply(asked, "200 OK", f"Session: 42;timeout={self._manners.timeout}\r\nTransport: {agreed}\r\n")

    def _reply(self, asked: Asked, status: str, headers: str, body: str = "") -> None:
        counted = self._manners.cseq or asked.headers["cseq"]
        if self._manners.hesitates:
            self._say(f"RTSP/1.0 100 Continue\r\nCSeq: {counted}\r\n\r\n".encode())
        head = f"RTSP/1.0 {status}\r\nCSeq: {counted}\r\n{headers}\r\n"
        self._say(head.replace("\r\n", self._manners.line_end).encode() + body.encode())

    def _say(self, data: bytes) -> None:
        with self._lock:
            self._link.sendall(data)

    def _play(self) -> None:
        manners, number = self._manners, self._manners.first_number
        due_at = time.monotonic()
        with suppress(OSError):
            for index in range(manners.stops_after or 1_000_000):
                ticks = manners.first_ticks + index * manners.ticks
                packets = packets_of(clip()[index % len(clip())], number, ticks)
                number += len(packets)
                self._send(packets)
                if manners.redirects_after and manners.redirects_after[0] == index:
                    self._say(
                        f"REDIRECT * RTSP/1.0\r\nCSeq: 1\r\nLocation: {manners.redirects_after[1]}\r\n\r\n".encode()
                    )
                if manners.asks_after == index:
                    self._say(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\nDANCE * RTSP/1.0\r\nCSeq: 2\r\n\r\n")
                due_at += 1 / manners.rate
                held_seconds = manners.holds[1] if manners.holds[0] == index else 0.0
                if self._camera.is_over.wait(max(held_seconds, due_at - time.monotonic())):
                    return

    def _send(self, packets: list[bytes]) -> None:
        assert self._client
        address, place = self._client
        if self._manners.repeats:
            packets = [packet for packet in packets for _ in range(2)]
        if self._udp:
            if self._manners.swaps:
                packets = [
                    packets[index ^ 1] if index ^ 1 < len(packets) else packets[index] for index in range(len(packets))
                ]
            for packet in packets:
                self._udp.sendto(packet, (address, place))
        else:
            self._say(b"".join(struct.pack("!cBH", b"$", place, len(packet)) + packet for packet in packets))

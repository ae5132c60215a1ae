"""Webhooks as Standard Webhooks has them: signed, over a network that goes where the address policy allows."""

import asyncio
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpcore
import httpx
from standardwebhooks import Webhook

from services.api.delivery.outbox import Letter
from services.api.delivery.targets import Target
from shared.errors import AfterimageError, SourceFailed
from shared.network.addresses import AddressPolicy

TIMEOUT_SECONDS: Final = 10.0
MAX_RETRY_AFTER_SECONDS: Final = 3600.0
MAX_ANSWER_BYTES: Final = 65_536
"""What a receiver says is of no interest; one that says more than this has it cut off."""


class DeliveryFailed(AfterimageError):
    """A receiver did not take a letter; `retry_after_seconds` is how long it asked to be left alone."""

    def __init__(self, said: str, retry_after_seconds: float = 0.0) -> None:
        super().__init__(said)
        self.retry_after_seconds = retry_after_seconds


class TargetGone(DeliveryFailed):
    """A receiver said that it wants nothing any more."""


class CheckedBackend(httpcore.AsyncNetworkBackend):
    """Looks a name up, checks every address that it has, and connects to one of those, not to the name."""

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection; raises SourceFailed where an address is refused."""
        wait = TIMEOUT_SECONDS if timeout is None else timeout
        refusal: Exception = httpcore.ConnectError()
        for address in await asyncio.to_thread(self._policy.allowed_addresses, host, port, wait):
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as err:
                refusal = err
        raise refusal

    async def sleep(self, seconds: float) -> None:
        """As httpcore has it."""
        await asyncio.sleep(seconds)


class WebhookPost:
    """Sends letters to webhooks; used by one event loop."""

    def __init__(self, policy: AddressPolicy) -> None:
        transport = httpx.AsyncHTTPTransport(trust_env=False)
        transport._pool = httpcore.AsyncConnectionPool(  # noqa: SLF001  (httpx has no other way in)
            httpx.create_ssl_context(trust_env=False),
            max_connections=None,
            max_keepalive_connections=64,
            keepalive_expiry=5.0,
            network_backend=CheckedBackend(policy),
        )
        self._client = httpx.AsyncClient(transport=transport, timeout=TIMEOUT_SECONDS, trust_env=False)

    async def send(self, target: Target, letter: Letter) -> None:
        """Sends one; raises DeliveryFailed unless the receiver says 2xx within TIMEOUT_SECONDS in all."""
        body = body_of(letter)
        now = datetime.now(UTC)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "afterimage",
            "webhook-id": letter.message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(target.secret).sign(letter.message_id, now, body),
        }
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await self._post(target.url, body, headers)
        except TimeoutError:
            raise DeliveryFailed(f"no answer within {TIMEOUT_SECONDS:g} s") from None
        except SourceFailed as err:
            raise DeliveryFailed(str(err)) from err
        except (httpx.HTTPError, httpx.InvalidURL, httpcore.ConnectError, OSError) as err:
            raise DeliveryFailed(f"the connection failed: {type(err).__name__}") from err  # their words hold the URL

    async def close(self) -> None:
        """Ends the connections."""
        await self._client.aclose()

    async def _post(self, url: str, body: str, headers: dict[str, str]) -> None:
        async with self._client.stream("POST", url, content=body, headers=headers) as reply:
            num_bytes = 0
            if reply.is_success:  # the connection may serve again
                async for chunk in reply.aiter_raw():
                    num_bytes += len(chunk)
                    if num_bytes > MAX_ANSWER_BYTES:
                        break
                return
        if reply.status_code == httpx.codes.GONE:  # as Standard Webhooks has it
            raise TargetGone("it answered 410 (gone): it wants nothing any more")
        raise DeliveryFailed(f"it answered {reply.status_code}", retry_after(reply))


def body_of(letter: Letter) -> str:
    """What a receiver gets: type, timestamp (of the transition, UTC) and the event as the api shows it."""
    event = json.loads(letter.event)
    timestamp = datetime.fromtimestamp(letter.told_at_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return json.dumps({"type": f"event.{letter.kind}", "timestamp": timestamp, "data": event})


def retry_after(reply: httpx.Response) -> float:
    """Seconds, which the header gives as such or as a date."""
    said = reply.headers.get("Retry-After", "")
    if said.isascii() and said.isdecimal() and len(said) < 10:
        return min(float(said), MAX_RETRY_AFTER_SECONDS)
    try:
        seconds = (parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError):  # none, or a date that says no zone
        return 0.0
    return max(0.0, min(seconds, MAX_RETRY_AFTER_SECONDS))

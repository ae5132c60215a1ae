"""Messages to people, over the hundred services that apprise knows: mail, Telegram, ntfy and so on."""

import asyncio
import json
import logging
from typing import Final

import apprise
from apprise.attachment.memory import AttachMemory

from services.api.delivery.channels.guard import check_url, guarded
from services.api.delivery.channels.webhooks import TIMEOUT_SECONDS, DeliveryFailed
from services.api.delivery.outbox import Letter
from services.api.delivery.pictures import FoundPicture, Pictures
from services.api.delivery.targets import Target
from shared.errors import SourceFailed
from shared.network.addresses import AddressPolicy

LOCAL: Final = frozenset({"dbus", "glib", "gnome", "kde", "macosx", "qt", "syslog", "windows"})
"""Schemes that lead to the desktop or the log of the machine that delivers."""
UNGUARDED: Final = frozenset({"xmpp", "xmpps"})
"""Schemes whose services connect on threads of their own, where nobody checks the address."""
PICTURE_NAME: Final = "opening.jpg"
REFUSED_PICTURE: Final = "the service did not take its picture"

logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)  # its words hold URLs, which are secrets


def is_for_people(url: str) -> bool:
    """Whether apprise knows what to do with a URL."""
    scheme = url.partition("://")[0].strip().lower()
    return scheme not in LOCAL | UNGUARDED and apprise.Apprise.instantiate(url, suppress_exceptions=True) is not None


class PeoplePost:
    """Sends letters to people.

    Every connection that a service makes is checked, wherever its URL or a redirect leads.
    """

    def __init__(self, policy: AddressPolicy, pictures: Pictures | None) -> None:
        self._policy, self._pictures = policy, pictures

    async def send(self, target: Target, letter: Letter) -> None:
        """Sends one, with the picture of its opening where it is there and the service takes it.

        Raises DeliveryFailed.
        """
        service = apprise.Apprise(asset=apprise.AppriseAsset(app_id="Afterimage", app_desc="Afterimage"))
        service.add(target.url)
        takes_pictures = any(each.attachment_support for each in service)
        title, body = text_of(letter)
        picture = FoundPicture(b"")
        if self._pictures and letter.label and takes_pictures:
            picture = await self._pictures.opening(letter)
        try:
            await asyncio.to_thread(check_url, self._policy, target.url, TIMEOUT_SECONDS)
            if picture.jpeg:
                attached = AttachMemory(picture.jpeg, PICTURE_NAME, "image/jpeg")  # type: ignore[no-untyped-call]
                if await self._notify(service, title, body, attached):
                    return
                picture = FoundPicture(b"", REFUSED_PICTURE)  # or the service fails as it is
            if not await self._notify(service, title, "\n".join(filter(None, (body, picture.why_not)))):
                raise DeliveryFailed("the service did not take it")
        except SourceFailed as err:
            raise DeliveryFailed(str(err)) from err
        except TimeoutError:
            raise DeliveryFailed(f"no answer within {TIMEOUT_SECONDS:g} s") from None

    async def _notify(
        self, service: apprise.Apprise, title: str, body: str, attached: AttachMemory | None = None
    ) -> bool:
        """Whether it was taken; raises SourceFailed and TimeoutError."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            with guarded(self._policy) as guard:
                is_taken = bool(await service.async_notify(title=title, body=body, attach=attached))
        if not is_taken and guard.refused:
            raise SourceFailed(guard.refused[0])
        return is_taken


def text_of(letter: Letter) -> tuple[str, str]:
    """What people read: a title, and a line."""
    if not letter.label:
        return "Afterimage: test", "This is how events arrive."
    event = json.loads(letter.event)
    return f"{letter.stream_id}: {letter.label}", f"{letter.kind}, score {event['peak_score']:.2f}"

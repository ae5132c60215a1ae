"""What the api does with targets, beside showing them."""

import json
from typing import Final

import redis

from services.api.delivery.channels.guard import check_url
from services.api.delivery.channels.posts import Posts
from services.api.delivery.channels.webhooks import DeliveryFailed
from services.api.delivery.outbox import Letter, Outbox
from services.api.delivery.targets import Target, TargetBook
from shared.clock import now_ms
from shared.entries import EntryId
from shared.network.addresses import AddressPolicy
from shared.words.sealing import Vault

TEST_KIND: Final = "test"
LOOKUP_SECONDS: Final = 2.0
"""For a name that is saved: one that is not told by then is checked when it is used, as all are."""


class TargetDesk:
    """Targets, their dead letters, and letters that try them. Raises StoreUnavailable, TargetUnknown, TargetRefused."""

    def __init__(self, client: redis.Redis, policy: AddressPolicy, vault: Vault) -> None:
        self.book = TargetBook(client, vault)
        self.outbox = Outbox(client)
        self._policy = policy

    def check(self, url: str) -> None:
        """Raises SourceFailed where a URL leads now to where nothing may be delivered."""
        check_url(self._policy, url, LOOKUP_SECONDS)

    async def test(self, target: Target) -> str | None:
        """Sends a letter that says it is a test; why the receiver did not take it, or nothing."""
        at_ms = now_ms()
        event = json.dumps({"target": target.id, "test": True})
        letter = Letter(0, EntryId(at_ms), target.id, "", TEST_KIND, event, f"test.{at_ms}-0")
        post = Posts(self._policy)
        try:
            await post.send(target, letter)
        except DeliveryFailed as err:
            return str(err)
        finally:
            await post.close()
        return None

    def dead_letters(self, target_id: str) -> list[Letter]:
        """A target's, the oldest first."""
        self.book.get(target_id)
        return self.outbox.dead_letters(target_id)

import asyncio

from services.api.followers.entries import FeedEntry
from services.api.live.feed import Listener
from services.api.live.position import Position
from shared.entries import EntryId


def entries(count: int) -> list[FeedEntry]:
    return [FeedEntry(0, EntryId(number), "opened", "a", "moved", "{}") for number in range(1, count + 1)]


def test_what_is_offered_can_be_taken_in_order() -> None:
    async def scenario() -> None:
        listener = Listener(Position(), "")
        assert listener.offer(entries(2))
        assert listener.offer(entries(1))
        assert await listener.take(60) == entries(2) + entries(1)
        assert await listener.take(0.001) == []

    asyncio.run(scenario())


def test_a_full_queue_closes_the_listener() -> None:
    async def scenario() -> None:
        listener = Listener(Position(), "")
        assert listener.offer(entries(listener.most_pending))
        assert not listener.closed
        assert not listener.offer(entries(1))
        assert listener.closed

    asyncio.run(scenario())


def test_closing_wakes_whoever_waits() -> None:
    async def scenario() -> None:
        listener = Listener(Position(), "")
        waiting = asyncio.create_task(listener.take(60))
        await asyncio.sleep(0)
        listener.close()
        assert await waiting == []

    asyncio.run(scenario())

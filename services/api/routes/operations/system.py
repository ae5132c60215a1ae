"""How the system stands: Redis, how many streams are in which state, and what pictures and clips take."""

from collections import Counter
from dataclasses import asdict
from importlib.metadata import version

from fastapi import APIRouter

from services.api.context import Context
from services.api.media.records import TotalBytes
from services.api.metrics.servers import servers_of
from services.api.openapi.docs import errors
from services.api.schemas.service import MediaRoom, RedisView, SystemView
from services.api.schemas.streams import StreamView

BATCH = 1000

router = APIRouter(prefix="/v1/system", tags=["operations"])


@router.get("", responses=errors(503))
def show_system(context: Context) -> SystemView:
    """What Redis holds and how it keeps it, how many streams are in which state, and the room that media takes."""
    ids, states = context.registry.ids(), Counter[str]()
    for start in range(0, len(ids), BATCH):
        states.update(StreamView.of(record).state for record in context.registry.records(ids[start : start + BATCH]))
    used, limit = TotalBytes(context.client).told()
    return SystemView(
        version=version("afterimage"),
        redis=[RedisView(**asdict(server)) for server in servers_of(context.client)],
        num_streams=states.total(),
        max_streams=context.settings.max_streams,
        streams=dict(states),
        media=MediaRoom(used_bytes=used, limit_bytes=limit),
    )

"""What operators and orchestrators ask: alive, ready, who does the work, how full it is."""

from collections import Counter
from dataclasses import asdict
from importlib.metadata import version
from typing import Annotated, get_args

from fastapi import APIRouter, Query

from services.api.context import Context
from services.api.media.records import TotalBytes
from services.api.metrics.servers import full_nodes, servers_of
from services.api.openapi.docs import errors
from services.api.protocol.errors import ApiError
from services.api.schemas.service import (
    Health,
    MediaRoom,
    Readiness,
    RedisView,
    SystemView,
    Version,
    WorkerList,
    WorkerView,
)
from services.api.security.access import CallerOf
from shared.store.keys import NEEDED, Role
from shared.store.layout.known import layout_of
from shared.store.leases import living_workers

health = APIRouter(tags=["operations"])
router = APIRouter(prefix="/v1", tags=["operations"])


@health.get("/healthz")
async def show_health() -> Health:
    """Answers as long as the process is alive, on the event loop: whatever the threads do."""
    return Health()


@health.get("/readyz", responses=errors(503))
def show_readiness(context: Context) -> Readiness:
    """Whether Redis answers and takes frames, and an ingest and an inference worker are alive; the error says what is
    missing.
    """
    workers: dict[str, int] = {
        role: len(living_workers(context.client, role, context.lease_seconds)) for role in NEEDED
    }
    problems = []
    if missing := [role for role, count in workers.items() if count == 0]:
        problems.append(f"no living worker for: {', '.join(missing)}")
    problems += [f"{node}: full (maxmemory): it takes no more frames" for node in full_nodes(context.client)]
    if problems:
        raise ApiError(503, "not_ready", "; ".join(problems))
    return Readiness(workers=workers)


@router.get("/version")
def show_version() -> Version:
    """Which Afterimage this is."""
    return Version(version=version("afterimage"))


@router.get("/workers", responses=errors(503))
def list_workers(
    context: Context, caller: CallerOf, role: Annotated[Role | None, Query(description="of this role")] = None
) -> WorkerList:
    """Every living worker: when it was last heard of, and what it owns. One that falls silent is gone in seconds.

    A key for some groups is told of the streams that are there for it.
    """
    layout = layout_of(context.client)
    seen = Counter(map(layout.of, context.known.in_groups(caller.groups))) if caller.groups else None
    num_streams = [len(specs) for _, specs in context.known.specs()] if seen is None else seen
    workers = [
        worker
        for kind in sorted(get_args(Role))
        if role in {None, kind}
        for worker in living_workers(context.client, kind, context.lease_seconds)
    ]
    return WorkerList(
        num_partitions=layout.count,
        items=[
            WorkerView(
                id=worker.id,
                role=worker.role,
                silent_seconds=worker.silent_seconds,
                partitions=list(worker.partitions),
                num_streams=sum(num_streams[partition] for partition in worker.partitions),
            )
            for worker in workers
        ],
    )


@router.get("/system", responses=errors(503))
def show_system(context: Context) -> SystemView:
    """What Redis holds and how it keeps it, how many streams are in which state, and the room that media takes."""
    states = context.standings.by_state()
    used, limit = TotalBytes(context.client).told()
    return SystemView(
        version=version("afterimage"),
        redis=[RedisView(**asdict(server)) for server in servers_of(context.client)],
        num_streams=states.total(),
        max_streams=context.settings.max_streams,
        streams=dict(states),
        media=MediaRoom(used_bytes=used, limit_bytes=limit),
    )

"""The processes that do the work, and who has which part of it."""

from collections import Counter
from importlib.metadata import version
from typing import Annotated, get_args

from fastapi import APIRouter, Query

from services.api.context import Context
from services.api.openapi.docs import errors
from services.api.schemas.service import Version, WorkerList, WorkerView
from services.api.security.access import CallerOf
from shared.store.keys import Role, partition_of
from shared.store.leases import living_workers

router = APIRouter(prefix="/v1", tags=["operations"])


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
    seen = Counter(map(partition_of, context.known.in_groups(caller.groups))) if caller.groups else None
    num_streams = context.registry.counts() if seen is None else seen
    workers = [
        worker
        for kind in sorted(get_args(Role))
        if role in {None, kind}
        for worker in living_workers(context.client, kind, context.lease_seconds)
    ]
    return WorkerList(
        items=[
            WorkerView(
                id=worker.id,
                role=worker.role,
                silent_seconds=worker.silent_seconds,
                partitions=list(worker.partitions),
                num_streams=sum(num_streams[partition] for partition in worker.partitions),
            )
            for worker in workers
        ]
    )

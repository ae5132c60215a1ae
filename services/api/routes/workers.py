"""The processes that do the work, and who has which part of it."""

from typing import get_args

import redis
from fastapi import APIRouter

from services.api.context import Context
from services.api.protocol.docs import errors
from services.api.schemas.service import WorkerList, WorkerView
from shared.store.client import translated
from shared.store.keys import PARTITIONS, Role
from shared.store.leases import living_workers

router = APIRouter(prefix="/v1/workers", tags=["operations"])


@router.get("", responses=errors(503))
def list_workers(context: Context) -> WorkerList:
    """Every living worker: when it was last heard of, and what it owns. One that falls silent is gone in seconds."""
    num_streams = _streams_per_partition(context.client)
    workers = [
        worker
        for role in sorted(get_args(Role))
        for worker in living_workers(context.client, role, context.lease_seconds)
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


def _streams_per_partition(client: redis.Redis) -> list[int]:
    """Number of registered streams, by partition; raises StoreUnavailable."""
    pipeline = client.pipeline(transaction=False)
    for keys in PARTITIONS:
        pipeline.hlen(keys.streams)
    with translated():
        return pipeline.execute()

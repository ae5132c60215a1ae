"""Sources at rest: under which key Redis has them."""

import logging
from typing import Any

import redis
from fastapi import APIRouter
from redis.cluster import RedisCluster

from services.api.context import Context
from services.api.protocol.docs import errors
from services.api.protocol.errors import ApiError
from services.api.schemas.service import SecretsRotated
from shared.errors import StoreUnavailable, StreamUnknown
from shared.store.client import translated

log = logging.getLogger(__name__)

router = APIRouter(prefix="/v1/secrets", tags=["operations"])


@router.post("/rotate", responses=errors(409, 503))
def rotate_secrets(context: Context) -> SecretsRotated:
    """Encrypts every source anew, with the first key of AFTERIMAGE_SECRET_KEY, also those that were stored without one.

    No stream is disturbed. Redis is asked to write its files anew, as they still hold what was there before.
    """
    if not context.vault.has_key:
        raise ApiError(409, "no_key", "AFTERIMAGE_SECRET_KEY is not set for the api: there is nothing to encrypt with")
    num_streams, unreadable = 0, []
    for stream_id in context.registry.ids():
        try:
            if context.registry.seal_anew(stream_id):
                num_streams += 1
            else:
                unreadable.append(stream_id)
        except StreamUnknown:
            continue  # removed meanwhile
    _rewrite_files(context.client)
    log.info("sources encrypted anew: %d; with a key that is not here: %d", num_streams, len(unreadable))
    return SecretsRotated(num_streams=num_streams, unreadable=unreadable)


def _rewrite_files(client: redis.Redis) -> None:
    """Has each server drop from its files what it does not hold any more; one that is at it, or may not, is told of."""
    nodes: list[Any] = client.get_nodes() if isinstance(client, RedisCluster) else []
    everywhere: list[dict[str, Any]] = [{"target_nodes": node} for node in nodes] or [{}]
    for where in everywhere:
        try:
            with translated():
                keeps_log = client.info("persistence", **where)["aof_enabled"]
                client.bgrewriteaof(**where) if keeps_log else client.bgsave(**where)
        except StoreUnavailable as err:
            log.warning("Redis's files may still hold what was stored before: %s", err)

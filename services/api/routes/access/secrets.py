"""Secrets at rest: under which key Redis has sources and targets."""

import logging
from collections.abc import Callable, Iterable
from typing import Any

import redis
from fastapi import APIRouter
from redis.cluster import RedisCluster

from services.api.context import Context
from services.api.delivery.targets import TargetUnknown
from services.api.openapi.docs import errors
from services.api.protocol.errors import ApiError
from services.api.schemas.service import SecretsRotated
from shared.errors import StoreUnavailable, StreamUnknown
from shared.store.client import translated

log = logging.getLogger(__name__)

router = APIRouter(prefix="/v1/secrets", tags=["operations"])


@router.post("/rotate", responses=errors(409, 503))
def rotate_secrets(context: Context) -> SecretsRotated:
    """Encrypts every source and target anew, with the first key of AFTERIMAGE_SECRET_KEY, also what was stored without.

    No stream is disturbed. Redis is asked to write its files anew, as they still hold what was there before.
    """
    if not context.vault.has_key:
        raise ApiError(409, "no_key", "AFTERIMAGE_SECRET_KEY is not set for the api: there is nothing to encrypt with")
    registry, book = context.registry, context.targets.book
    num_streams, unreadable = _sealed_anew(registry.ids(), registry.seal_anew)
    num_targets, unreadable_targets = _sealed_anew(book.all(), book.seal_anew)
    _rewrite_files(context.client)
    missing = len(unreadable) + len(unreadable_targets)
    log.info("encrypted anew: %d sources, %d targets; with a key not here: %d", num_streams, num_targets, missing)
    return SecretsRotated(
        num_streams=num_streams,
        unreadable=unreadable,
        num_targets=num_targets,
        unreadable_targets=unreadable_targets,
    )


def _sealed_anew(names: Iterable[str], seal: Callable[[str], bool]) -> tuple[int, list[str]]:
    """How many were, and those whose key is not here."""
    num_sealed, unreadable = 0, []
    for name in names:
        try:
            if seal(name):
                num_sealed += 1
            else:
                unreadable.append(name)
        except (StreamUnknown, TargetUnknown):
            continue  # removed meanwhile
    return num_sealed, unreadable


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

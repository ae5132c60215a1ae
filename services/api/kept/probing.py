"""Asks ingest to try a source, and waits for what it says: the api itself decodes nothing."""

import asyncio
import time
from typing import Final

import redis
from fastapi.concurrency import run_in_threadpool

from services.api.kept.registration import check_source
from services.api.protocol.errors import ApiError
from services.api.schemas.probes import ProbeCreate, ProbeView
from services.api.settings import ApiSettings
from shared.probes import MAX_OPEN, WAIT_SECONDS, ProbeQueue, ProbeRequest

LOOK_SECONDS: Final = 0.1


class Prober:
    """Has sources tried. Its method raises ApiError, SourceRefused and StoreUnavailable."""

    def __init__(self, client: redis.Redis, settings: ApiSettings, wait_seconds: float = WAIT_SECONDS) -> None:
        self._settings = settings
        self._queue = ProbeQueue(client, wait_seconds)
        self._wait_seconds = wait_seconds

    async def probe(self, wanted: ProbeCreate) -> ProbeView:
        """What came of it; holds no thread while it waits."""
        probe_id = await run_in_threadpool(self._ask, wanted)
        deadline = time.monotonic() + self._wait_seconds
        while time.monotonic() < deadline:
            if report := await run_in_threadpool(self._queue.answer_to, probe_id):
                return ProbeView.of(wanted.source, report)
            await asyncio.sleep(LOOK_SECONDS)
        raise ApiError(503, "no_answer", f"no ingest worker tried the source within {self._wait_seconds:g} s")

    def _ask(self, wanted: ProbeCreate) -> str:
        check_source(wanted.source, self._settings.media_root)
        desks = self._queue.desks()
        if not desks:
            raise ApiError(503, "not_ready", "no living worker for: ingest, which would try the source")
        given = wanted.model_dump(exclude_none=True)
        probe_id = self._queue.ask(ProbeRequest(**given), desks)
        if probe_id is None:
            raise ApiError(429, "too_many_probes", f"{MAX_OPEN} sources are being tried already; try again soon")
        return probe_id

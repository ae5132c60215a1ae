"""What operators and orchestrators ask: alive, ready, metrics."""

from typing import get_args

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from services.api.context import Context
from services.api.metrics.store import full_nodes
from services.api.protocol.docs import Responses, errors
from services.api.protocol.errors import ApiError
from services.api.schemas.service import Health, Readiness
from shared.store.keys import Role
from shared.store.leases import living_workers

router = APIRouter(tags=["operations"])

METRICS: Responses = {
    200: {
        "description": "Prometheus' text format",
        "content": {
            "text/plain": {
                "schema": {"type": "string"},
                "example": 'afterimage_stream_lag_frames{stream_id="front-door"} 1.0\n',
            }
        },
    }
}


@router.get("/healthz")
async def show_health() -> Health:
    """Answers as long as the process is alive, on the event loop: whatever the threads do."""
    return Health()


@router.get("/readyz", responses=errors(503))
def show_readiness(context: Context) -> Readiness:
    """Whether Redis answers and takes frames, and an ingest and an inference worker are alive; the error says what is
    missing.
    """
    workers = {role: len(living_workers(context.client, role, context.lease_seconds)) for role in get_args(Role)}
    problems = []
    if missing := [role for role, count in workers.items() if count == 0]:
        problems.append(f"no living worker for: {', '.join(missing)}")
    problems += [f"{node}: full (maxmemory): it takes no more frames" for node in full_nodes(context.client)]
    if problems:
        raise ApiError(503, "not_ready", "; ".join(problems))
    return Readiness(workers=workers)


@router.get("/metrics", response_class=Response, responses=METRICS)
def show_metrics(context: Context) -> Response:
    """Metrics of the api's requests, and of the streams at this moment."""
    return Response(generate_latest(context.metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

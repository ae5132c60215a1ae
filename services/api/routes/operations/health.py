"""What operators and orchestrators ask: alive, ready."""

from fastapi import APIRouter

from services.api.context import Context
from services.api.metrics.servers import full_nodes
from services.api.openapi.docs import errors
from services.api.protocol.errors import ApiError
from services.api.schemas.service import Health, Readiness
from shared.store.keys import NEEDED
from shared.store.leases import living_workers

router = APIRouter(tags=["operations"])


@router.get("/healthz")
async def show_health() -> Health:
    """Answers as long as the process is alive, on the event loop: whatever the threads do."""
    return Health()


@router.get("/readyz", responses=errors(503))
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

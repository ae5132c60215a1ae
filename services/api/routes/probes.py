"""Tries a source before it is registered."""

from fastapi import APIRouter

from services.api.context import Context
from services.api.openapi.docs import errors
from services.api.schemas.probes import ProbeCreate, ProbeView

router = APIRouter(prefix="/v1/streams/probe", tags=["streams"])


@router.post("", responses=errors(400, 413, 429, 503))
async def probe_source(wanted: ProbeCreate, context: Context) -> ProbeView:
    """Has an ingest worker open a source, and says what it is, with its first picture, or why it gives none.

    That a source does not work is an answer like any other: 200 with `ok` false and the reason. One that gives no
    picture within 15 s does not work; where others are tried first, the answer takes up to 35 s.
    """
    return await context.prober.probe(wanted)

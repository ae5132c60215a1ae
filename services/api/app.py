"""The application: routes, errors, limits and the live feed, put together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from services.api.context import ApiContext, build_context
from services.api.metrics.requests import RequestMetrics
from services.api.protocol.errors import install_error_handlers
from services.api.protocol.middleware import BodyLimit, RequestId
from services.api.routes import events, health, live, models, probes, scores, secrets, streams, workers
from services.api.settings import ApiSettings

DESCRIPTION = """Streaming video analytics with memory: register cameras and files, read what happened in them, or
listen as it happens. Times are in milliseconds since 1970. Errors have one shape:
`{"error": {"code", "message", "field"?, "value"?}}`."""


def create_app(settings: ApiSettings) -> FastAPI:
    """The app for these settings; it connects to Redis when it must, and serves without when it can't."""
    context = build_context(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        readers = [asyncio.create_task(each.run()) for each in (context.feed, context.tiles)]
        yield
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
        await context.feed.close()
        await context.tiles.close()
        context.client.close()

    app = FastAPI(
        title="Afterimage",
        version=version("afterimage"),
        description=DESCRIPTION,
        lifespan=lifespan,
        redirect_slashes=False,  # its Location would repeat whatever was asked for
    )
    app.state.context = context
    for module in (streams, live, probes, scores, events, models, workers, secrets, health):
        app.include_router(module.router)
    install_error_handlers(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(RequestMetrics, metrics=context.metrics)
    app.add_middleware(RequestId)
    return app


def context_of(app: FastAPI) -> ApiContext:
    """The parts that the app was made of."""
    context: ApiContext = app.state.context
    return context

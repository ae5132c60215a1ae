"""The application: routes, errors, limits and the live feed, put together."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any, Final

from fastapi import FastAPI, Security
from fastapi.middleware.cors import CORSMiddleware
from fastapi.security import APIKeyCookie, HTTPBearer
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware

from services.api.context import ApiContext, build_context
from services.api.delivery import routes as targets
from services.api.kept.rollouts import routes as rollouts
from services.api.kept.rollouts.steps import RolloutPace
from services.api.media import routes as media
from services.api.metrics.requests import RequestMetrics
from services.api.openapi.docs import errors
from services.api.openapi.document import REFUSE_UNKNOWN, describe
from services.api.protocol.errors import install_error_handlers
from services.api.protocol.headers import SecurityHeaders
from services.api.protocol.middleware import BodyLimit, Head, Prefix, RequestId
from services.api.protocol.visitors import Visitors
from services.api.routes import (
    docs,
    events,
    live,
    marks,
    models,
    operations,
    page,
    reviews,
    scores,
    streams,
)
from services.api.routes.access import keys, secrets, session
from services.api.security.access import Access
from services.api.security.audit import Audit
from services.api.security.revocations import Revocations
from services.api.security.sessions import COOKIE
from services.api.settings import ApiSettings, words

GZIP: Final[Mapping[str, Any]] = {
    "minimum_size": 1000,
    "compresslevel": 4,
    "exclude_content_types": (*DEFAULT_EXCLUDED_CONTENT_TYPES, "multipart/*"),
}

CORS: Final[Mapping[str, Any]] = {
    "allow_methods": ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
    "allow_headers": ["Authorization", "Content-Type", "If-Match", "If-None-Match", "Last-Event-ID", "X-Request-ID"],
    "expose_headers": ["ETag", "Location", "Retry-After", "X-Captured-At-Ms", "X-Changed", "X-Request-ID"],
}
"""Others' pages send a key; a session's cookie stays with the api's own."""
QUIET: Final[Mapping[str, Any]] = {
    "telemetry": {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
}
"""FastAPI's own spans and logs would tell whoever `OTEL_…` names all that is asked for, queries and all."""
SHOWN = [
    Security(HTTPBearer(auto_error=False, scheme_name="key", description="a key: afi_…")),
    Security(APIKeyCookie(name=COOKIE, auto_error=False, scheme_name="session", description="of POST /v1/session")),
]
"""For the document alone: the gate has let pass who may, before any of this is asked."""


def create_app(settings: ApiSettings, pace: RolloutPace = RolloutPace()) -> FastAPI:  # noqa: B008  (it is frozen)
    """The app for these settings; it connects to Redis when it must, and serves without when it can't."""
    context = build_context(settings, pace)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        readers = [asyncio.create_task(each.run()) for each in (context.feed, context.tiles)]
        context.rollouts.keeper.start()
        yield
        await asyncio.to_thread(context.rollouts.keeper.stop)
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
        await context.feed.close()
        await context.tiles.close()
        await context.doorkeeper.close()
        context.client.close()

    app = FastAPI(
        title="Afterimage",
        version=version("afterimage"),
        lifespan=lifespan,
        docs_url=None,  # theirs load scripts from servers of others
        redoc_url=None,
        dependencies=[REFUSE_UNKNOWN],
        responses=errors(422),
        generate_unique_id_function=lambda route: route.name,
        redirect_slashes=False,  # its Location would repeat whatever was asked for
        **QUIET,
    )
    app.state.context = context
    _include_routes(app)
    describe(app, settings.api_root_path)
    install_error_handlers(app)
    _add_middleware(app, settings, context)
    return app


def _include_routes(app: FastAPI) -> None:
    for open_to_all in (page.router, operations.health, docs.router, session.entrance):
        app.include_router(open_to_all)
    for module in (
        streams,
        rollouts,
        live,
        scores,
        reviews,
        events,
        marks,
        media,
        models,
        targets,
        operations,
        secrets,
        keys,
        session,
    ):
        app.include_router(module.router, dependencies=SHOWN, responses=errors(401, 403, 429))
    app.include_router(streams.groups, dependencies=SHOWN, responses=errors(401, 403, 429))
    for module in (events, live):
        app.include_router(module.sockets)  # in no document


def _add_middleware(app: FastAPI, settings: ApiSettings, context: ApiContext) -> None:
    """What every request passes, from the inside out."""
    app.add_middleware(BodyLimit)
    app.add_middleware(GZipMiddleware, **GZIP)
    app.add_middleware(Head)
    app.add_middleware(Access, doorkeeper=context.doorkeeper, revocations=Revocations(context.doorkeeper))
    app.add_middleware(Audit)
    if origins := words(settings.api_cors_origins):
        app.add_middleware(CORSMiddleware, allow_origins=origins, **CORS)
    app.add_middleware(Visitors, settings=settings)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(RequestMetrics, metrics=context.metrics)
    app.add_middleware(RequestId)
    app.add_middleware(Prefix, prefix=settings.api_root_path)


def context_of(app: FastAPI) -> ApiContext:
    """The parts that the app was made of."""
    context: ApiContext = app.state.context
    return context

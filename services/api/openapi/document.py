"""The OpenAPI document: what FastAPI finds in the routes, and what all of them have in common."""

from collections.abc import Collection, Iterator
from http import HTTPStatus
from typing import Any, Final

from fastapi import Depends, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_flat_params
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.params import Query
from fastapi.routing import iter_route_contexts
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from services.api.protocol.errors import ProblemBody
from services.api.protocol.middleware import HEADER
from services.api.security.policy import asked

DESCRIPTION: Final = """Streaming video analytics with memory: register cameras and files, read what happened in them,
or listen as it happens. Times are in milliseconds since 1970. Every error is RFC 9457's `application/problem+json`,
with all that is wrong with the request in `errors`. `HEAD` is answered where `GET` is; parameters that a path does not
know are refused."""
TAGS: Final = [
    {"name": "streams", "description": "Cameras and files: what is asked of each, and where it stands"},
    {"name": "events", "description": "What happened, and what happens now"},
    {"name": "delivery", "description": "Where events are sent to"},
    {"name": "models", "description": "What looks at the streams"},
    {"name": "access", "description": "Keys, and logging in with a browser"},
    {"name": "operations", "description": "For those who run it"},
]
REFS: Final = "#/components/schemas/{model}"
COMMON_HEADERS: Final = {HEADER: "the request's, where it is plain, else one of the api's own; log lines carry it"}
RETRY_STATUSES: Final = ("429", "503")
QUERY: Final = "query"


def describe(app: FastAPI, prefix: str) -> None:
    """Has the app, which has its routes, give its document; `prefix` is what a proxy shows it under, or empty."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document_of(app, prefix)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's way
    found = iter_route_contexts(app.routes)
    app.state.documented = frozenset(each.path for each in found if getattr(each, "include_in_schema", False))


async def known_parameters(connection: HTTPConnection) -> None:
    """Refuses a request with a query parameter that its route does not have, and one of which another path that is
    documented only seems to be the id (405: `DELETE /v1/events/export`).

    What is in no document takes any, but for WebSockets. (The document itself is slow to make, so none is asked here.)
    """
    route, path = connection.scope["route"], asked(connection.scope)[1]
    if connection.scope["type"] != "websocket":
        if not route.include_in_schema:
            return
        if path != route.path and path in connection.app.state.documented:
            raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED)
    _refuse_others(connection, query_of(route.dependant))


def query_of(dependant: Dependant) -> list[str]:
    """Names of the query parameters that a route, or what it depends on, takes."""
    return [each.alias for each in get_flat_params(dependant) if isinstance(each.field_info, Query)]


def _refuse_others(connection: HTTPConnection, known: Collection[str]) -> None:
    """Raises RequestValidationError with each query parameter that is none of the known ones."""
    allowed = ", ".join(known) or "none"
    unknown = dict.fromkeys(name for name in connection.query_params if name not in known)
    if unknown:
        message = f"unknown parameter; allowed are {allowed}"
        problem = {"type": "unknown_parameter", "msg": message, "input": None}
        raise RequestValidationError([{**problem, "loc": (QUERY, name)} for name in unknown])


REFUSE_UNKNOWN: Final = Depends(known_parameters)


def _document_of(app: FastAPI, prefix: str) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary="Temporal events in video streams",
        description=DESCRIPTION,
        routes=app.routes,
        tags=TAGS,
        servers=[] if prefix else [{"url": "/", "description": "the server that gives this document"}],
    )
    _, defined = models_json_schema([(ProblemBody, "serialization")], ref_template=REFS)
    document["components"]["schemas"] |= defined["$defs"]
    for operation in _operations(document):
        operation.setdefault("security", [])  # none is asked for
        for parameter in operation.get("parameters", ()):
            parameter["schema"] = _not_null(parameter["schema"])
        _add_headers(operation["responses"])
    return document


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for operations in document["paths"].values():
        yield from operations.values()


def _not_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter is given or left out; nobody can send null."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    return {**kinds[0], **{name: said for name, said in schema.items() if name != "anyOf"}} if kinds else schema


def _add_headers(responses: dict[str, dict[str, Any]]) -> None:
    for response_status, response in responses.items():
        headers = dict(COMMON_HEADERS)
        if response_status in RETRY_STATUSES:
            headers["Retry-After"] = "seconds"
        described = {name: {"description": what, "schema": {"type": "string"}} for name, what in headers.items()}
        response["headers"] = described | response.get("headers", {})

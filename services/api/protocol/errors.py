"""Every error that the api answers with: RFC 9457's `application/problem+json`, no traceback, no secret.

`{"type", "title", "status", "detail", "errors": [{"code", "message", "field"?, "value"?}]}`: `errors` are all problems
of the request; of each, `code` is for programs, `message` for people, `field` and `value` say which part was refused.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Literal

from fastapi import FastAPI, Request, WebSocket
from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from services.api.delivery.targets import TargetLocked, TargetRefused, TargetUnknown
from services.api.media.places.place import MediaUnavailable
from services.api.protocol.headers import HEADERS
from services.api.protocol.sockets import NOT_ALLOWED, Farewell, turn_away
from shared.errors import (
    AfterimageError,
    SourceMissing,
    SourceRefused,
    StoreFull,
    StoreUnavailable,
    StreamExists,
    StreamUnknown,
)
from shared.life.delivery_rules import Hours, LabelDelivery, Schedule
from shared.life.event_desk import EventBusy, EventUnknown
from shared.streams import ThresholdOverride
from shared.words.plain_words import is_plain
from shared.words.redaction import redact
from shared.words.validation import repeated, repeated_name

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 1
MAX_PATH = 100
MAX_ERRORS = 100
CODES = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "too_large",
    500: "internal",
}

PARTS: dict[tuple[str, int], type[BaseModel]] = {
    ("delivery", 3): LabelDelivery,
    ("schedule", 2): Schedule,
    ("schedule", 4): Hours,
}
"""What lies below a body's fields, by how deep: thresholds, unless it is named here."""
EXPECTED: dict[type[Exception], tuple[int, str, str | None]] = {
    StreamUnknown: (404, "stream_unknown", None),
    StreamExists: (409, "stream_exists", "id"),
    TargetUnknown: (404, "target_unknown", None),
    TargetRefused: (409, "target_refused", "id"),
    TargetLocked: (409, "unreadable", "url"),
    SourceRefused: (422, "invalid", "source"),
    SourceMissing: (422, "invalid", "source"),
    EventUnknown: (404, "event_unknown", None),
    EventBusy: (409, "event_busy", None),
    MediaUnavailable: (503, "media_unavailable", None),
    StoreUnavailable: (503, "store_unavailable", None),
    StoreFull: (503, "store_full", None),
}


class ErrorDetail(BaseModel):
    """One thing that went wrong."""

    code: str = Field(description="stable, for programs")
    message: str = Field(description="one sentence for people: what was wrong and what is allowed")
    field: str | None = Field(default=None, description="the field, parameter or header that was refused")
    value: str | None = Field(
        default=None, description="its value as text; left out unless it is a number or a short plain word"
    )


class ProblemBody(BaseModel):
    """The body of every answer that is not a success (RFC 9457)."""

    type: Literal["about:blank"] = Field(default="about:blank", description="`errors` say more than a type could")
    title: str = Field(description="the status in words")
    status: int
    detail: str = Field(description="the messages of all `errors`")
    errors: list[ErrorDetail] = Field(description=f"every problem of the request, at most {MAX_ERRORS}; at least one")


class ApiError(AfterimageError):
    """A request that cannot be served, with the status and the code that say why."""

    headers: Mapping[str, str] = MappingProxyType({})
    """what its answer carries besides"""

    def __init__(self, status: int, code: str, message: str, *, field: str | None = None, value: object = None) -> None:
        super().__init__(message)
        self.status = status
        self.detail = ErrorDetail(
            code=code, message=message, field=field, value=None if value is None else repeated(value)
        )


def refused(field: str, value: object, problem: str) -> ApiError:
    """A 422 on one field; `problem` says what is wrong and what is allowed."""
    return ApiError(422, "invalid", f"{field}: {problem}", field=field, value=value)


def install_error_handlers(app: FastAPI) -> None:
    """Makes the app answer every error in the one shape."""
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(WebSocketRequestValidationError, _on_invalid_socket)
    app.add_exception_handler(ApiError, _on_own_error)
    for kind in EXPECTED:
        app.add_exception_handler(kind, _on_own_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(Exception, _on_defect)


def error_response(status: int, *errors: ErrorDetail, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The answer itself; whatever is temporary says when to try again."""
    headers = dict(headers or {})
    if status in {429, 503}:
        headers.setdefault("Retry-After", str(RETRY_AFTER_SECONDS))
    return JSONResponse(problem_of(status, *errors), status, headers, media_type=MEDIA_TYPE)


def problem_of(status: int, *errors: ErrorDetail) -> dict[str, Any]:
    """The body of such an answer."""
    detail = "; ".join(error.message for error in errors)
    problem = ProblemBody(title=HTTPStatus(status).phrase, status=status, detail=detail, errors=list(errors))
    return problem.model_dump(exclude_none=True)


def answer_to(error: AfterimageError) -> JSONResponse:
    """The answer to a request that one of our own errors ended: an ApiError, or one of those that are expected."""
    if isinstance(error, ApiError):
        return error_response(error.status, error.detail, headers=error.headers)
    status, code, field = EXPECTED[type(error)]
    return error_response(status, ErrorDetail(code=code, message=redact(str(error)), field=field))


async def _on_own_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, AfterimageError)  # noqa: S101  (what the handler is registered for)
    return answer_to(error)


async def _on_http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101  (what the handler is registered for)
    path, headers = request.url.path, dict(error.headers or {})
    asked = f"{request.method} {path}: " if all(map(is_plain, path.split("/"))) and len(path) <= MAX_PATH else ""
    detail = ErrorDetail(code=CODES.get(error.status_code, "http_error"), message=f"{asked}{error.detail}")
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_methods_at(request)) or headers["Allow"]
    return error_response(error.status_code, detail, headers=headers)


def _methods_at(request: Request) -> list[str]:
    """What may be done with the path: starlette itself names the methods of its first route alone."""
    paths: Mapping[str, Mapping[str, Any]] = request.app.openapi()["paths"]
    path = request.url.path.removeprefix(request.scope.get("root_path", ""))
    matching = [path] if path in paths else [each for each in paths if compile_path(each)[0].match(path)]
    methods = {method.upper() for each in matching for method in paths[each]}
    return sorted(methods | ({"HEAD"} if "GET" in methods else set()))


async def _on_defect(_request: Request, _error: Exception) -> JSONResponse:
    message = "an error inside the api; its log has the details"
    return error_response(500, ErrorDetail(code="internal", message=message), headers=HEADERS)


async def _on_invalid_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101  (what the handler is registered for)
    fields = _body_fields(request)
    return error_response(422, *(_detail_of(problem, fields) for problem in error.errors()[:MAX_ERRORS]))


async def _on_invalid_socket(socket: WebSocket, error: Exception) -> None:
    assert isinstance(error, WebSocketRequestValidationError)  # noqa: S101  (what the handler is registered for)
    await turn_away(socket, Farewell(NOT_ALLOWED, _detail_of(error.errors()[0], ()).message))


def _body_fields(request: Request) -> Sequence[str]:
    body = getattr(request.scope.get("route"), "body_field", None)
    return list(body.field_info.annotation.model_fields) if body else []


def _detail_of(problem: Mapping[str, Any], body_fields: Sequence[str]) -> ErrorDetail:
    """One of pydantic's problems in our shape, without the values that may be secret."""
    place, path = problem["loc"][0], problem["loc"][1:]
    if problem["type"] == "json_invalid":
        message = f"body: not JSON: {problem['ctx']['error']} at character {path[0]}"
        return ErrorDetail(code="invalid", message=message, field="body")
    if not path:
        return ErrorDetail(
            code="invalid", message="body: must be a JSON object, sent as application/json", field="body"
        )
    field = ".".join(map(repeated_name, path if place == "body" else path[:1]))
    if problem["type"] == "extra_forbidden":
        allowed = (
            body_fields if len(path) == 1 else list(PARTS.get((path[0], len(path)), ThresholdOverride).model_fields)
        )
        message = f"{field}: unknown field; allowed are {', '.join(allowed)}"
        return ErrorDetail(code="invalid", message=message, field=field)
    value = problem["input"]
    may_be_secret = place == "body" and path[0] in {"source", "url", "secret"}
    text = None if may_be_secret or problem["type"] == "missing" else repeated(value)
    if text is None:
        return ErrorDetail(code="invalid", message=f"{field}: {problem['msg']}", field=field)
    return ErrorDetail(code="invalid", message=f"{field}: {problem['msg']} (got {text})", field=field, value=text)

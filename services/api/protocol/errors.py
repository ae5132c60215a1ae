"""Every error that the api answers with: RFC 9457's `application/problem+json`, no traceback, no secret.

`{"type", "title", "status", "detail", "errors": [{"code", "message", "field"?, "value"?}]}`: `errors` are all problems
of the request; of each, `code` is for programs, `message` for people, `field` and `value` say which part was refused.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Literal

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from shared.errors import (
    AfterimageError,
    SourceMissing,
    SourceRefused,
    StoreFull,
    StoreUnavailable,
    StreamExists,
    StreamUnknown,
)
from shared.streams import ThresholdOverride
from shared.words.plain_words import is_plain
from shared.words.redaction import redact
from shared.words.validation import repeated, repeated_name

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 1
MAX_PATH = 100
MAX_ERRORS = 100
CODES = {400: "bad_request", 404: "not_found", 405: "method_not_allowed", 413: "too_large", 500: "internal"}

EXPECTED: dict[type[Exception], tuple[int, str, str | None]] = {
    StreamUnknown: (404, "stream_unknown", None),
    StreamExists: (409, "stream_exists", "id"),
    SourceRefused: (422, "invalid", "source"),
    SourceMissing: (422, "invalid", "source"),
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
    app.add_exception_handler(ApiError, _on_api_error)
    for kind in EXPECTED:
        app.add_exception_handler(kind, _on_expected_error)
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


async def _on_api_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)  # noqa: S101  (what the handler is registered for)
    return error_response(error.status, error.detail)


async def _on_expected_error(_request: Request, error: Exception) -> JSONResponse:
    status, code, field = EXPECTED[type(error)]
    return error_response(status, ErrorDetail(code=code, message=redact(str(error)), field=field))


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
    path = request.url.path
    matching = [path] if path in paths else [each for each in paths if compile_path(each)[0].match(path)]
    methods = {method.upper() for each in matching for method in paths[each]}
    return sorted(methods | ({"HEAD"} if "GET" in methods else set()))


async def _on_defect(_request: Request, _error: Exception) -> JSONResponse:
    message = "an error inside the api; its log has the details"
    return error_response(500, ErrorDetail(code="internal", message=message))


async def _on_invalid_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101  (what the handler is registered for)
    fields = _body_fields(request)
    return error_response(422, *(_detail_of(problem, fields) for problem in error.errors()[:MAX_ERRORS]))


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
        allowed = body_fields if len(path) == 1 else list(ThresholdOverride.model_fields)
        message = f"{field}: unknown field; allowed are {', '.join(allowed)}"
        return ErrorDetail(code="invalid", message=message, field=field)
    value = problem["input"]
    may_be_secret = place == "body" and path[0] == "source"
    text = None if may_be_secret or problem["type"] == "missing" else repeated(value)
    if text is None:
        return ErrorDetail(code="invalid", message=f"{field}: {problem['msg']}", field=field)
    return ErrorDetail(code="invalid", message=f"{field}: {problem['msg']} (got {text})", field=field, value=text)

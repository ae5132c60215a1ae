"""What the OpenAPI document says besides the schemas: the errors that a route answers with, with an example each."""

from typing import Any

from services.api.protocol.errors import ErrorBody

Responses = dict[int | str, dict[str, Any]]

EXAMPLES: dict[int, dict[str, Any]] = {
    400: {
        "code": "bad_position",
        "message": "Last-Event-ID: not a position of this feed; leave it out to listen from now on",
        "field": "Last-Event-ID",
        "value": "'yesterday'",
    },
    401: {"code": "key_missing", "message": "this api asks for a key: send it as `Authorization: Bearer afi_…`"},
    403: {"code": "role_too_low", "message": "this needs the role operator; the key's is viewer"},
    404: {"code": "stream_unknown", "message": "no stream has the id 'front-door'"},
    409: {"code": "stream_exists", "message": "stream id 'front-door' is used already", "field": "id"},
    413: {"code": "too_large", "message": "the body is larger than 65536 bytes"},
    416: {"code": "no_such_range", "message": "range: the file has 287344 bytes", "field": "range"},
    422: {
        "code": "invalid",
        "message": "fps: Input should be less than or equal to 60 (got 100)",
        "field": "fps",
        "value": "100",
    },
    429: {"code": "too_many_probes", "message": "8 sources are being tried already; try again soon"},
    503: {"code": "store_unavailable", "message": "Redis: Error 111 connecting to redis:6379. Connection refused."},
}
MEANINGS = {
    400: "A header or the body cannot be read as what it should be",
    401: "No key, or one that opens nothing",
    403: "The key opens other things, but not this",
    404: "There is no such thing",
    409: "The id is used, others are changing the stream now, what is stored of it is damaged, or there are too many",
    413: "The body is too large",
    416: "The file has no such part",
    422: "A field or parameter is not allowed; the error names it, its value and what is allowed",
    429: "Too many ask for this at once, or too many keys were wrong: try again after `Retry-After` seconds",
    503: "Not now: try again after `Retry-After` seconds",
}


def errors(*statuses: int) -> Responses:
    """The `responses` of a route that may answer with these statuses."""
    return {
        status: {
            "model": ErrorBody,
            "description": MEANINGS[status],
            "content": {"application/json": {"example": {"error": EXAMPLES[status]}}},
        }
        for status in statuses
    }

"""What a server-sent event stream says that cannot be served now."""

import json
from typing import Final

from fastapi.sse import format_sse_event
from starlette.responses import StreamingResponse

RETRY_MS: Final = 15_000
SSE_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class LaterResponse(StreamingResponse):
    """Tells why, as the event `full`, and when to come back.

    It is a success and ends at once: a browser's EventSource gives up for good on anything else.
    """

    media_type = "text/event-stream"

    def __init__(self, reason: str) -> None:
        text = format_sse_event(event="full", data_str=json.dumps({"reason": reason}), retry=RETRY_MS)
        super().__init__(iter([text]), headers=SSE_HEADERS)

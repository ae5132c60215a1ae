"""`afterimage events`: what happened, or what happens now."""

import json
import signal
import threading
from collections.abc import Mapping
from itertools import islice
from typing import Annotated, Any

import typer

from afterimage.commands.options import DEFAULT_URL, Url


def events(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Events as they happen, until Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON lines, as the API gives them.")] = False,
    stream: Annotated[str | None, typer.Option(help="Of this stream only.")] = None,
    label: Annotated[str | None, typer.Option(help="With this label only.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many, the newest.")] = 50,
    url: Url = DEFAULT_URL,
) -> None:
    """Print the newest events, oldest of them first; or follow them as they open and close.

    Example: `afterimage events --follow --label frozen`.
    """
    from rich.console import Console

    from afterimage.client import Client
    from afterimage.live import follow_feed
    from afterimage.show import event_line

    console = Console(highlight=False)

    def put(event: Mapping[str, Any]) -> None:
        if as_json:
            typer.echo(json.dumps(event))
        else:
            console.print(event_line(event), soft_wrap=True)

    with Client(url) as client:
        if not follow:
            newest = list(islice(client.events(stream_id=stream, label=label), limit))
            for event in reversed(newest):
                put(event)
            return
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a script's background job inherits it ignored
        try:
            for message in follow_feed(client, threading.Event(), threading.Event(), stream_id=stream, label=label):
                put(message.event)
        except KeyboardInterrupt:
            return

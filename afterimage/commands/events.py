"""`afterimage events`: what happened, or what happens now."""

import json
import signal
import threading
from collections.abc import Mapping
from itertools import islice
from typing import Annotated, Any, Literal

import typer

from afterimage.commands.options import DEFAULT_URL, Url

app = typer.Typer()


@app.callback(invoke_without_command=True)
def events(
    context: typer.Context,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Events as they happen, until Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON lines, as the API gives them.")] = False,
    stream: Annotated[str | None, typer.Option(help="Of this stream only.")] = None,
    label: Annotated[str | None, typer.Option(help="With this label only.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many, the newest.")] = 50,
    url: Url = DEFAULT_URL,
) -> None:
    """Print the newest events, oldest of them first; or follow them as they open and close. What may have been missed,
    and that the live feed has no place, is said on standard error.

    Example: `afterimage events --follow --label frozen`.
    """
    if context.invoked_subcommand:
        return
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

    def tell(said: str) -> None:
        typer.echo(said, err=True)

    with Client(url) as client:
        if not follow:
            newest = list(islice(client.events(stream_id=stream, label=label), limit))
            for event in reversed(newest):
                put(event)
            return
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a script's background job inherits it ignored
        try:
            feed = follow_feed(client, threading.Event(), threading.Event(), tell, stream_id=stream, label=label)
            for message in feed:
                put(message.event)
        except KeyboardInterrupt:
            return


@app.command()
def export(
    form: Annotated[
        Literal["jsonl", "csv", "activitynet"], typer.Option("--format", help="activitynet: what `train --data` reads.")
    ] = "jsonl",
    stream: Annotated[list[str] | None, typer.Option(help="Of these streams only.")] = None,
    label: Annotated[list[str] | None, typer.Option(help="With these labels only.")] = None,
    since_ms: Annotated[int, typer.Option(min=0, help="From this time on, in ms since 1970.")] = 0,
    url: Url = DEFAULT_URL,
) -> None:
    """Print all events as JSON lines, CSV, or ActivityNet's JSON (of files, by their paths under the media root).

    Example: `afterimage events export --format activitynet > annotations.json`.
    """
    from afterimage.client import Client

    with Client(url) as client:
        for text in client.export_events(format=form, stream_id=stream, label=label, since_ms=since_ms):
            typer.echo(text, nl=False)

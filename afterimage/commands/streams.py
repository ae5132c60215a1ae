"""`afterimage streams`: add, list, show and remove streams of a running system."""

import json
from typing import Annotated

import typer

from afterimage.commands.options import (
    CAMERA_HELP,
    DEFAULT_URL,
    FPS_HELP,
    LOGIN_HELP,
    SOURCE,
    RtspTransport,
    Skip,
    Url,
)

app = typer.Typer(no_args_is_help=True, help="Add, list, show and remove the streams of a running system.")

StreamId = Annotated[str, typer.Argument(help="The stream's id.")]
AsJson = Annotated[bool, typer.Option("--json", help="As the API gives it.")]


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="What people call it.")],
    source: Annotated[
        str, typer.Argument(help=f"A video file under the media root, {CAMERA_HELP}. {LOGIN_HELP}", envvar=SOURCE)
    ],
    stream_id: Annotated[str | None, typer.Option("--id", help="Default: made of the name.")] = None,
    fps: Annotated[float | None, typer.Option(help=FPS_HELP)] = None,
    model: Annotated[str | None, typer.Option(help="Name of the model.")] = None,
    pace: Annotated[str | None, typer.Option(help="live: as the clock; fast: no frame lost.")] = None,
    loop: Annotated[bool, typer.Option("--loop", help="Play a file again and again.")] = False,
    rtsp_transport: RtspTransport = None,
    skip: Skip = None,
    stall_seconds: Annotated[
        float | None, typer.Option(help="How long a camera may give no picture. Default: by ingest's setting and fps.")
    ] = None,
    transport_short_side: Annotated[
        int | None, typer.Option(help="Pixels of the shorter side of pictures, as events show them: 192 to 720.")
    ] = None,
    url: Url = DEFAULT_URL,
) -> None:
    """Register a stream and print its id.

    Example: `afterimage streams add "front door" rtsp://192.168.1.20/main --fps 8`.
    """
    from afterimage.client import Client
    from afterimage.sources import local_path

    body = {
        "id": stream_id,
        "name": name,
        "source": local_path(source) or source,
        "fps": fps,
        "model": model,
        "pace": pace,
        "loop": loop or None,
        "rtsp_transport": rtsp_transport,
        "skip": skip,
        "stall_seconds": stall_seconds,
        "transport_short_side": transport_short_side,
    }
    with Client(url) as client:
        view = client.add_stream({field: value for field, value in body.items() if value is not None})
    typer.echo(view["id"])


@app.command("list")
def list_streams(as_json: AsJson = False, url: Url = DEFAULT_URL) -> None:
    """List every stream and where it stands; of one that waits, how long until it is tried again.

    Example: `afterimage streams list --json | jq .state`.
    """
    from rich.console import Console

    from afterimage.client import Client
    from afterimage.show import stream_table

    with Client(url) as client:
        views = list(client.streams())
    if as_json:
        for view in views:
            typer.echo(json.dumps(view))
    else:
        Console().print(stream_table(views))


@app.command()
def show(stream_id: StreamId, url: Url = DEFAULT_URL) -> None:
    """Print one stream as JSON.

    Example: `afterimage streams show front-door`.
    """
    from afterimage.client import Client

    with Client(url) as client:
        typer.echo(json.dumps(client.stream(stream_id), indent=2))


@app.command()
def remove(stream_id: StreamId, url: Url = DEFAULT_URL) -> None:
    """Remove a stream and everything that is kept of it.

    Example: `afterimage streams remove front-door`.
    """
    from afterimage.client import Client

    with Client(url) as client:
        client.remove_stream(stream_id)

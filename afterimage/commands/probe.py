"""`afterimage probe`: what a camera or file is, and whether it gives a picture."""

import json
import threading
from pathlib import Path
from typing import Annotated

import typer

from afterimage.commands.options import CAMERA_HELP, LOGIN_HELP, SOURCE, RtspTransport


def probe(
    source: Annotated[
        str,
        typer.Argument(
            help=f"A video file, {CAMERA_HELP}. {LOGIN_HELP}",
            envvar=SOURCE,
        ),
    ],
    snapshot: Annotated[Path | None, typer.Option(help="Write its first picture, as ingest sees it: JPEG.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line.")] = False,
    rtsp_transport: RtspTransport = None,
) -> None:
    """Try a source, without any service: say what it is, or why it gives no picture.

    Example: `afterimage probe rtsp://192.168.1.20/main --snapshot door.jpg`. The exit code is 0 where it works.
    """
    from rich.console import Console
    from rich.text import Text

    from afterimage.show import probe_table
    from afterimage.sources import find_source
    from services.ingest.readers.probe import probe as tried
    from services.ingest.sources.options import ReadOptions
    from shared.errors import SettingsInvalid, SourceFailed
    from shared.words.redaction import shown_source

    found, shown = find_source(source), shown_source(source)
    with Console(stderr=True).status(Text(f"trying {shown}")):
        try:
            report = tried(found, ReadOptions(rtsp_transport=rtsp_transport or "tcp"), threading.Event())
        except SourceFailed as err:
            raise SourceFailed(f"source {shown}: {err}") from err
    if snapshot:
        try:
            snapshot.write_bytes(report.jpeg)
        except OSError as err:
            raise SettingsInvalid(f"--snapshot {snapshot}: {err.strerror}") from err
    figures = {"source": shown, **report.model_dump(exclude={"jpeg", "reason"})}
    if as_json:
        typer.echo(json.dumps(figures))
    else:
        Console().print(probe_table(figures))

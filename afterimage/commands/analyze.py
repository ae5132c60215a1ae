"""`afterimage analyze`: one file, folder or camera, through the whole system."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from afterimage.commands.options import (
    CAMERA_HELP,
    DEFAULT_MODELS,
    FPS_HELP,
    LOGIN_HELP,
    SOURCE,
    Device,
    Models,
    user_data,
)


def analyze(
    source: Annotated[
        str, typer.Argument(help=f"A video file, a folder of videos, {CAMERA_HELP}. {LOGIN_HELP}", envvar=SOURCE)
    ],
    recursive: Annotated[
        bool,
        typer.Option("--recursive", help="Look into a folder's subfolders, too; links to folders are not followed."),
    ] = False,
    model: Annotated[str | None, typer.Option(help="Name of the model. Default: camera-events.")] = None,
    fps: Annotated[float | None, typer.Option(min=0.01, max=60, help=FPS_HELP)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON lines: events as they close, then a summary.")] = False,
    device: Device = "auto",
    models: Models = DEFAULT_MODELS,
    media_root: Annotated[
        Path | None, typer.Option(help="Folder that the source must lie under. Default: its own folder.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder to keep everything in. Default: a temporary one, removed at the end.")
    ] = None,
) -> None:
    """Name what happens in a video, from its first frame to its last.

    Example: `afterimage analyze door.mp4`, or `afterimage analyze videos/ --recursive --json | jq .label`.
    A camera (`afterimage analyze rtsp://192.168.1.20/main`) runs until Ctrl-C.
    """
    from afterimage.analysis import analyze_sources
    from afterimage.preflight import check_media_root, check_model
    from afterimage.sources import find_sources
    from afterimage.stack import StackOptions
    from shared.streams import DEFAULT_MODEL

    playlist = find_sources(source, check_media_root(media_root) if media_root else None, recursive=recursive)
    check_model(models / (model or DEFAULT_MODEL))
    with _kept_or_temporary(data) as folder:
        options = StackOptions(data=folder, media_root=playlist.media_root, models=models, device=device)
        code = analyze_sources(playlist, options, model=model, fps=fps, as_json=as_json)
    raise typer.Exit(code)


@contextmanager
def _kept_or_temporary(data: Path | None) -> Iterator[Path]:
    from afterimage.data_folder import remove_abandoned

    if data is not None:
        yield data
        return
    parent = user_data() / "tmp"
    parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(parent)
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        yield Path(folder)

"""`afterimage demo`: see it work."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from afterimage.commands.options import DEFAULT_MODELS, Device, Models, own_key


def demo(
    data: Annotated[Path, typer.Option(help="Folder for clips, logs and Redis; emptied of these at the start.")] = Path(
        "data/demo"
    ),
    footage: Annotated[
        list[Path] | None,
        typer.Option(help="A real video or folder of a camera that stands still, to show faults on; may be repeated."),
    ] = None,
    device: Device = "auto",
    models: Models = DEFAULT_MODELS,
    stay: Annotated[
        bool, typer.Option("--stay", help="Then play the clips as cameras, over and over, to be seen on the page.")
    ] = False,
) -> None:
    """Render one clip for each kind of incident, play all of them at once, and compare what is found with the truth.

    Example: `afterimage demo`, or with your own recordings `afterimage demo --footage recordings/`.
    """
    from rich.console import Console

    from afterimage.demo import run_demo
    from afterimage.preflight import check_model
    from afterimage.stack import StackOptions
    from shared.streams import DEFAULT_MODEL

    manifest = check_model(models / DEFAULT_MODEL)
    folder = data.absolute()
    options = StackOptions(data=folder, media_root=folder / "clips", models=models, device=device)
    if stay:
        options = replace(options, key=own_key(), records=True)
    raise typer.Exit(run_demo(options, manifest.labels, Console(highlight=False), footage or (), stays=stay))

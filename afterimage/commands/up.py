"""`afterimage up`: the whole system on this machine."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from afterimage.commands.options import DEFAULT_MODELS, Device, Models, own_key, user_data

if TYPE_CHECKING:
    from afterimage.stack import StackOptions

MAX_PORT = 65535
NUM_OTHERS = 3
"""Services whose metrics follow those of inference: recorder, api, delivery."""


def up(
    data: Annotated[
        Path | None, typer.Option(help="Folder for everything that is kept. Default: the platform's user data folder.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address the API listens on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the API; 0: any free port.")] = 8000,
    media_root: Annotated[
        Path | None, typer.Option(help="Files may be played from under this folder only. Default: where you are.")
    ] = None,
    models: Models = DEFAULT_MODELS,
    device: Device = "auto",
    metrics_port: Annotated[
        int,
        typer.Option(min=0, max=65531, help="Port of ingest's metrics; those of all other services follow."),
    ] = 0,
    inference_workers: Annotated[
        int, typer.Option(min=1, max=64, help="Processes that share the model's work; more than 32 find none to share.")
    ] = 1,
    redis_memory_mb: Annotated[int, typer.Option(min=64, help="Most memory that Redis may take, in MB.")] = 1024,
) -> None:
    """Start ingest, inference, recorder, API, delivery and a private Redis here, until Ctrl-C.

    Example: `afterimage up --media-root ~/videos`, and in another terminal
    `afterimage streams add door ~/videos/door.mp4`, then `afterimage events --follow`.
    """
    from afterimage.ports import usable_port
    from afterimage.preflight import check_media_root, check_models
    from afterimage.stack import StackOptions

    if metrics_port + inference_workers + NUM_OTHERS > MAX_PORT:
        raise typer.BadParameter(f"--metrics-port {metrics_port}: no {inference_workers + NUM_OTHERS} ports follow it")
    found = check_models(models)
    options = StackOptions(
        data=data or user_data(),
        media_root=check_media_root(media_root or Path.cwd()),
        models=models,
        host=host,
        port=usable_port(host, port),
        metrics_port=metrics_port,
        device=device,
        redis_max_memory_mb=redis_memory_mb,
        inference_workers=inference_workers,
        key=own_key(),
        records=True,
    )
    _serve(options, [manifest.reference for manifest in found])


def _serve(options: "StackOptions", model_names: list[str]) -> None:
    """Runs the stack until the user wants an end; raises StackFailed."""
    from afterimage.interrupts import StopRequest
    from afterimage.own_key import key_file
    from afterimage.stack import Stack
    from shared.words.redaction import redact

    request = StopRequest()
    request.listen()
    with Stack(options, request, say=_say, echo=_echo) as stack:
        if not stack.stopping:
            _say(f"ready        {stack.url}  (API: {stack.url}/docs)")
            _say(f"page         {stack.url}/  (log in with the key below)")
            _say(f"admin key    {key_file()}  (commands here send it; so does `curl --oauth2-bearer $(cat FILE)`)")
            _say(f"models       {', '.join(model_names)}")
            _say(f"media root   {options.media_root}")
            _say(f"data         {options.data}")
            _say(f"events       {options.data / 'events'}  (their pictures and clips)")
            _say(f"redis        {redact(stack.redis_url)}")
            _say(f"metrics      {' '.join(stack.metrics_urls.values())}")
        while stack.wait(0.2):
            pass
        _say("stopping; Ctrl-C again to kill")
    _say("stopped")


def _say(line: str) -> None:
    """Prints a line; a terminal that went away must not stop those who talk to it."""
    with suppress(OSError):
        typer.echo(line)


def _echo(service: str, line: str) -> None:
    """Prints what a service says; Redis's own words stay in its log file."""
    if service != "redis":
        _say(f"{service:<12} | {line}")

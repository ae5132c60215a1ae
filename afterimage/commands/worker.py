"""`afterimage worker`: one more process for a role, beside those that there are."""

import os
import runpy
import signal
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote, urlsplit

import typer

from afterimage.commands.options import DEFAULT_MODELS, DEVICE_HELP, Models, user_data
from shared.store.keys import Role


def worker(
    role: Annotated[Role, typer.Option(help="What it does: decode streams (ingest) or run the model (inference).")],
    redis: Annotated[
        str | None,
        typer.Option(
            help="The Redis that all share; one with a password is better given in the variable. "
            "Default: that of `afterimage up` here.",
            envvar="AFTERIMAGE_REDIS_URL",
        ),
    ] = None,
    media_root: Annotated[
        Path | None,
        typer.Option(help="For ingest: the files' root, as of `up`. Default: here.", envvar="AFTERIMAGE_MEDIA_ROOT"),
    ] = None,
    models: Models = DEFAULT_MODELS,
    device: Annotated[str, typer.Option(help=DEVICE_HELP, envvar="AFTERIMAGE_DEVICE")] = "auto",
    metrics_port: Annotated[
        int,
        typer.Option(min=0, max=65535, help="Port of its metrics; 0: any free port.", envvar="AFTERIMAGE_METRICS_PORT"),
    ] = 0,
) -> None:
    """Run one more worker, here or on another machine, until Ctrl-C.

    It takes its share of the streams from the others, with their memory, and gives it back when it ends. No
    frame is skipped or counted twice, however it ends. `GET /v1/workers` shows who owns what.

    Example: `afterimage worker --role inference --redis redis://10.0.0.5:6379/0`, or beside an `afterimage up` on the
    same machine `afterimage worker --role inference` alone.
    """
    from afterimage.ports import usable_port
    from afterimage.preflight import check_media_root, check_models
    from afterimage.redis_server import url_of_running
    from afterimage.sealed import keys_beside
    from shared.store.client import connect
    from shared.words.redaction import redact

    url = redis or url_of_running(user_data() / "redis")
    connect(url)  # refuses what is no URL of a Redis, and opens no connection
    root = check_media_root(media_root or Path.cwd())
    if role == "inference":
        check_models(models)
    port = usable_port("127.0.0.1", metrics_port)
    keys = keys_beside(folder) if (folder := _folder_of(redis)) else None
    typer.echo(f"{role} worker at {redact(url)}, metrics http://127.0.0.1:{port}/metrics; Ctrl-C to end")
    secret = {"secret_key": keys} if keys else {}
    _become(role, redis_url=url, media_root=root, models_dir=models, device=device, metrics_port=port, **secret)


def _folder_of(redis: str | None) -> Path | None:
    """Where the Redis of an `afterimage up` here works, as far as its URL tells; given None, the usual folder."""
    if redis is None:
        return user_data() / "redis"
    parts = urlsplit(redis)
    return Path(unquote(parts.path)).parent if parts.scheme == "unix" else None


def _become(role: Role, **settings: object) -> None:
    """Goes on as the service itself with these settings, to its end and with its exit code."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a quiet end while it still loads; then the service listens itself
    os.environ.update({f"AFTERIMAGE_{name.upper()}": str(value) for name, value in settings.items()})
    runpy.run_module(f"services.{role}", run_name="__main__", alter_sys=True)

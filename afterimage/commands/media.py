"""`afterimage media`: pictures and clips of events."""

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Pictures and clips of events.")


@app.callback()
def media() -> None:
    """Pictures and clips of events."""


@app.command()
def check(
    events_dir: Annotated[
        str, typer.Option(envvar="AFTERIMAGE_EVENTS_DIR", help="Where the recorder writes: a folder, or s3://…")
    ] = "events",
    redis_url: Annotated[
        str, typer.Option(envvar="AFTERIMAGE_REDIS_URL", help="The Redis that it works on.")
    ] = "redis://127.0.0.1:6379/0",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what is wrong, and leave it.")] = False,
) -> None:
    """Find and mend what Redis and the files disagree on; no recorder may run. A recorder that starts does the same.

    Example: `AFTERIMAGE_REDIS_URL=redis://... afterimage media check --events-dir /events`.
    """
    from services.api.media.check import check_all

    found = check_all(redis_url, events_dir, mends=not dry_run)
    for event_id, what in found:
        typer.echo(f"{event_id}: {what}")
    typer.echo(f"{len(found)} {'found' if dry_run else 'mended'}")

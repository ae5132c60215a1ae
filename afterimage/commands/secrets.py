"""`afterimage secrets`: the key under which sources are kept."""

import typer

from afterimage.commands.options import DEFAULT_URL, Url

app = typer.Typer(no_args_is_help=True, help="Look after the key under which Redis keeps the streams' sources.")


@app.callback()
def secrets() -> None:
    """Look after the key under which Redis keeps the streams' sources."""


@app.command()
def rotate(url: Url = DEFAULT_URL) -> None:
    """Encrypt every source with the first key of AFTERIMAGE_SECRET_KEY; no stream is disturbed.

    First put the new key before the old ones, for ingest and api, and restart them; after this command the old ones can
    go.

    Example: `afterimage secrets rotate`.
    """
    from afterimage.client import Client

    with Client(url) as client:
        rotated = client.rotate_secrets()
    typer.echo(f"{rotated['num_streams']} sources are under the first key")
    if unreadable := rotated["unreadable"]:
        typer.echo(f"encrypted with a key that the api does not hold: {', '.join(unreadable)}", err=True)
        raise typer.Exit(1)

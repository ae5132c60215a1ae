"""`afterimage secrets`: the key under which sources and targets are kept."""

import typer

from afterimage.commands.options import DEFAULT_URL, Url

app = typer.Typer(no_args_is_help=True, help="Look after the key under which Redis keeps sources and targets.")


@app.callback()
def secrets() -> None:
    """Look after the key under which Redis keeps sources and targets."""


@app.command()
def rotate(url: Url = DEFAULT_URL) -> None:
    """Encrypt every source and target with the first key of AFTERIMAGE_SECRET_KEY; no stream is disturbed.

    First put the new key before the old ones, for ingest, api and delivery, and restart them; after this command the
    old ones can go.

    Example: `afterimage secrets rotate`.
    """
    from afterimage.client import Client

    with Client(url) as client:
        rotated = client.rotate_secrets()
    typer.echo(f"{rotated['num_streams']} sources and {rotated['num_targets']} targets are under the first key")
    gone = {"streams": rotated["unreadable"], "targets": rotated["unreadable_targets"]}
    for what, names in gone.items():
        if names:
            typer.echo(f"{what} encrypted with a key that the api does not hold: {', '.join(names)}", err=True)
    if any(gone.values()):
        raise typer.Exit(1)

"""`afterimage keys`: make, list and revoke the keys of a running system."""

import json
import time
from typing import Annotated, Literal

import typer

from afterimage.commands.options import DEFAULT_URL, Url

MS_PER_DAY = 86_400_000

app = typer.Typer(no_args_is_help=True, help="Make, list and revoke the keys that open a running system.")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Whose it is, or what it is for.")],
    role: Annotated[
        Literal["viewer", "operator", "admin"],
        typer.Option(help="viewer: reads; operator: changes streams, too; admin: makes keys, too."),
    ] = "viewer",
    group: Annotated[
        list[str] | None, typer.Option(help="For streams of this group alone; may be repeated. Default: for all.")
    ] = None,
    days: Annotated[
        float | None, typer.Option(min=0.001, max=36_500, help="Opens nothing after so many days. Default: never ends.")
    ] = None,
    url: Url = DEFAULT_URL,
) -> None:
    """Make a key and print it, this once: only its hash is kept.

    Example: `afterimage keys create dashboard --group north --days 90`.
    """
    from afterimage.client import Client

    body: dict[str, object] = {"name": name, "role": role, "groups": group or []}
    if days is not None:
        body["expires_at_ms"] = time.time_ns() // 1_000_000 + round(days * MS_PER_DAY)
    with Client(url) as client:
        made = client.create_key(body)
    typer.echo(f"key {made['id']}; nobody can be shown it again:", err=True)
    typer.echo(made["key"])


@app.command("list")
def list_keys(
    as_json: Annotated[bool, typer.Option("--json", help="JSON lines, as the API gives them.")] = False,
    url: Url = DEFAULT_URL,
) -> None:
    """List every key without its secret: whose, what it opens, when it was used last.

    Example: `afterimage keys list --json | jq .id`.
    """
    from rich.console import Console

    from afterimage.client import Client
    from afterimage.show import key_table

    with Client(url) as client:
        views = client.keys()
    if as_json:
        for view in views:
            typer.echo(json.dumps(view))
    else:
        Console().print(key_table(views))


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(help="The key's id.")], url: Url = DEFAULT_URL) -> None:
    """Revoke a key: it opens nothing from this moment on.

    Example: `afterimage keys revoke 2f9c41d07ab35e68`.
    """
    from afterimage.client import Client

    with Client(url) as client:
        client.revoke_key(key_id)

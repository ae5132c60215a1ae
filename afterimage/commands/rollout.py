"""`afterimage rollout`: a model on trial on all streams of a group."""

import json
from typing import Annotated

import typer

from afterimage.commands.options import DEFAULT_URL, Url

app = typer.Typer(
    no_args_is_help=True,
    help="Try a model on all streams of a group; where it is worse, they go back to the models that they had.",
)

Group = Annotated[str, typer.Argument(help="The group's name.")]


@app.command()
def start(
    group: Group,
    model: Annotated[str, typer.Argument(help="Name of the model.")],
    hours: Annotated[float | None, typer.Option(help="How long it is tried; then it is kept. Default: 24.")] = None,
    max_false_ratio: Annotated[
        float | None, typer.Option(help="How many times as often events may be judged wrong. Default: 1.5.")
    ] = None,
    max_events_ratio: Annotated[
        float | None, typer.Option(help="How many times as many events there may be. Default: 3.")
    ] = None,
    max_latency_ratio: Annotated[
        float | None, typer.Option(help="How many times as late frames may be looked at. Default: 2.")
    ] = None,
    url: Url = DEFAULT_URL,
) -> None:
    """Give a model to all streams of a group on trial, and print how that stands as JSON.

    Example: `afterimage rollout start north door-events --hours 48`.
    """
    from afterimage.client import Client

    body = {
        "model": model,
        "hours": hours,
        "max_false_ratio": max_false_ratio,
        "max_events_ratio": max_events_ratio,
        "max_latency_ratio": max_latency_ratio,
    }
    with Client(url) as client:
        view = client.start_rollout(group, {field: value for field, value in body.items() if value is not None})
    typer.echo(json.dumps(view, indent=2))


@app.command()
def show(group: Group, url: Url = DEFAULT_URL) -> None:
    """Print how the group's newest trial stands as JSON: the figures before and after, and a verdict in words.

    Example: `afterimage rollout show north | jq -r .verdict`.
    """
    from afterimage.client import Client

    with Client(url) as client:
        typer.echo(json.dumps(client.rollout(group), indent=2))


@app.command()
def end(
    group: Group,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the streams on the model instead.")] = False,
    url: Url = DEFAULT_URL,
) -> None:
    """End the trial now: every stream goes back to the model that it had.

    Example: `afterimage rollout end north`.
    """
    from afterimage.client import Client

    with Client(url) as client:
        typer.echo(json.dumps(client.end_rollout(group, keep=keep), indent=2))

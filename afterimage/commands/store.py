"""`afterimage store`: how Redis is divided, and dividing it anew."""

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Look after how Redis is divided into partitions.")

RedisUrl = Annotated[
    str, typer.Option("--redis", envvar="AFTERIMAGE_REDIS_URL", help="The Redis that all services share.")
]
DEFAULT_REDIS = "redis://127.0.0.1:6379/0"


@app.command()
def show(redis_url: RedisUrl = DEFAULT_REDIS) -> None:
    """Say into how many partitions the store is divided, and whether that is being changed.

    Example: `AFTERIMAGE_REDIS_URL=redis://... afterimage store show`.
    """
    from shared.store.client import connect
    from shared.store.repartition.steps import stored_layout

    with connect(redis_url) as client:
        record = stored_layout(client)
    typer.echo(f"{record.partitions} partitions")
    if record.moving_to:
        typer.echo(f"half-way to {record.moving_to}: `afterimage store repartition --to {record.moving_to}` goes on")


@app.command()
def repartition(
    to: Annotated[int, typer.Option(min=1, max=1024, help="How many partitions there are to be.")],
    redis_url: RedisUrl = DEFAULT_REDIS,
) -> None:
    """Divide the store into another number of partitions; no service may run meanwhile.

    Stop all services, make a backup, run it, and start them again. If it is broken off, run it again: it goes on. Until
    it has ended, no service starts. Nothing is lost: streams, memories, scores, events, clips, what is to be delivered.

    Example: `AFTERIMAGE_REDIS_URL=redis://... afterimage store repartition --to 256`.
    """
    from afterimage.commands.progress import progress
    from shared.store.client import connect
    from shared.store.repartition.steps import Repartition
    from shared.store.repartition.watch import own_name

    name = own_name()
    with connect(redis_url, name=name) as client, progress("moving keys") as told:
        done = Repartition(client, name, told).run(to)
    typer.echo(str(done))

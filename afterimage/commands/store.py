"""`afterimage store`: how Redis is divided, and dividing it anew."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import redis

app = typer.Typer(no_args_is_help=True, help="Look after how Redis is divided into partitions.")

RedisUrl = Annotated[
    str, typer.Option("--redis", envvar="AFTERIMAGE_REDIS_URL", help="The Redis that all services share.")
]
DEFAULT_REDIS = "redis://127.0.0.1:6379/0"
Data = Annotated[
    Path | None,
    typer.Option(help="The folder of an `afterimage up` that is stopped: then its Redis, which runs for this alone."),
]


@app.command()
def show(redis_url: RedisUrl = DEFAULT_REDIS, data: Data = None) -> None:
    """Say into how many partitions the store is divided, and whether that is being changed.

    Example: `AFTERIMAGE_REDIS_URL=redis://... afterimage store show`.
    """
    from shared.store.repartition.steps import stored_layout

    with _connected(redis_url, data, "client") as client:
        record = stored_layout(client)
    typer.echo(f"{record.partitions} partitions")
    if record.moving_to:
        typer.echo(f"half-way to {record.moving_to}: `afterimage store repartition --to {record.moving_to}` goes on")


@app.command()
def repartition(
    to: Annotated[int, typer.Option(min=1, max=1024, help="How many partitions there are to be.")],
    redis_url: RedisUrl = DEFAULT_REDIS,
    data: Data = None,
) -> None:
    """Divide the store into another number of partitions; no service may run meanwhile.

    Stop all services, make a backup, run it, and start them again. If it is broken off, run it again: it goes on. Until
    it has ended, no service starts. Nothing is lost: streams, memories, scores, events, clips, what is to be delivered.

    Example: `AFTERIMAGE_REDIS_URL=redis://... afterimage store repartition --to 256`.
    """
    from afterimage.commands.progress import progress
    from shared.store.repartition.steps import Repartition
    from shared.store.repartition.watch import own_name

    name = own_name()
    with _connected(redis_url, data, name) as client, progress("moving keys") as told:
        done = Repartition(client, name, told).run(to)
    typer.echo(str(done))


@contextmanager
def _connected(redis_url: str, data: Path | None, name: str) -> Iterator["redis.Redis"]:
    from afterimage.local_redis import redis_of_stopped
    from shared.store.client import connect

    with ExitStack() as running:
        url = running.enter_context(redis_of_stopped(data)) if data else redis_url
        yield running.enter_context(connect(url, name=name))

"""`make crowd`: what a crowd of clients does to the api, with figures; fails where it does too much."""

import asyncio
import resource
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from redis_process import redis_process

from crowd.run import api_process, gallery, siege
from shared.store.client import connect

MAX_WORK_MS, MAX_RSS_MB = 100, 200
"""The api's work before it tells its health, whatever else the machine does; and its memory."""


def main(
    idle: Annotated[int, typer.Option(help="Connections that say nothing.")] = 1100,
    readers: Annotated[int, typer.Option(help="Readers of scores at once.")] = 64,
    frames: Annotated[int, typer.Option(help="Scores that each reads.")] = 10_000,
    silent: Annotated[int, typer.Option(help="Listeners of the feed that never read.")] = 256,
    listeners: Annotated[int, typer.Option(help="Listeners of the feed.")] = 200,
    sockets: Annotated[int, typer.Option(help="WebSockets that show four streams each.")] = 64,
    seconds: Annotated[float, typer.Option(help="How long they listen and watch.")] = 30,
) -> None:
    """Besiege the api, then have it watched; a line each."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory(prefix="afterimage-") as folder, redis_process(Path(folder)) as url:
        with connect(url) as client, api_process(url) as api:
            besieged = asyncio.run(siege(api, client, idle, readers, frames, silent))
            print(f"{idle} idle, {readers} readers of {frames} scores, {silent} silent: {besieged}", flush=True)
        with connect(url) as client, api_process(url) as api:
            watched = asyncio.run(gallery(api, client, listeners, sockets, seconds))
            print(f"{listeners} listeners, {sockets} sockets: {watched}")
    for health in (besieged.health, watched.health):
        if health.slowest_work_ms > MAX_WORK_MS or health.most_rss_mb > MAX_RSS_MB:
            raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)

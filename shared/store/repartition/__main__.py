"""`python -m shared.store.repartition --to 256`: what `afterimage store repartition` does, from any service's image."""

import argparse
import sys

from shared.service.lifecycle import run_service
from shared.service.settings import ServiceSettings, read_settings
from shared.store.client import connect
from shared.store.layout.partitioning import MAX_COUNT
from shared.store.repartition.steps import Repartition
from shared.store.repartition.watch import own_name

EVERY_KEYS = 1000


def main() -> int:
    """Divides the store that the settings name; the process's exit code."""
    parser = argparse.ArgumentParser(prog="python -m shared.store.repartition", description=__doc__)
    parser.add_argument("--to", type=_count, required=True, metavar=f"1..{MAX_COUNT}")
    count, name = parser.parse_args().to, own_name()
    with connect(read_settings(ServiceSettings).redis_url.get_secret_value(), name=name) as client:
        done = Repartition(client, name, _told).run(count)
    print(done)
    return 0


def _count(given: str) -> int:
    if not (given.isascii() and given.isdecimal() and 1 <= int(given[:9]) <= MAX_COUNT and len(given) < 9):
        raise argparse.ArgumentTypeError(f"allowed is a whole number from 1 to {MAX_COUNT}")
    return int(given)


def _told(done: int, total: int) -> None:
    if done % EVERY_KEYS == 0 or done == total:
        sys.stderr.write(f"{done} of {total} keys\n")


if __name__ == "__main__":
    run_service(main)

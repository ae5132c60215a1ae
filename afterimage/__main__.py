"""The `afterimage` command."""

import sys

import typer

from afterimage.commands import (
    analyze,
    bench,
    dataset,
    demo,
    evaluate,
    events,
    keys,
    media,
    probe,
    rollout,
    secrets,
    store,
    streams,
    train,
    tune,
    up,
    worker,
)
from shared.errors import AfterimageError, DatasetUnusable, ModelUnusable, SettingsInvalid, SourceRefused
from shared.words.redaction import redact

USAGE_ERRORS = (DatasetUnusable, ModelUnusable, SettingsInvalid, SourceRefused)

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_show_locals=False,  # a source may be among them
    help="Watches many cameras at once and names what happens over time: events, with a memory that is never lost.",
)
app.command()(up.up)
app.command()(worker.worker)
app.command()(demo.demo)
app.command()(analyze.analyze)
app.command()(probe.probe)
app.add_typer(streams.app, name="streams")
app.add_typer(rollout.app, name="rollout")
app.add_typer(secrets.app, name="secrets")
app.add_typer(keys.app, name="keys")
app.add_typer(store.app, name="store")
app.add_typer(dataset.app, name="dataset")
app.add_typer(events.app, name="events")
app.command()(tune.tune)
app.add_typer(media.app, name="media")
app.command()(train.train)
app.command()(evaluate.evaluate)
app.command()(bench.bench)


def main() -> None:
    """Runs the command line; an AfterimageError is one line on standard error and exit code 2 (usage) or 1."""
    try:
        app()
    except AfterimageError as err:
        sys.stderr.write(f"error: {redact(str(err))}\n")
        sys.exit(2 if isinstance(err, USAGE_ERRORS) else 1)


if __name__ == "__main__":
    main()

"""`afterimage tune`: thresholds that agree with what people said of a stream's events."""

from typing import Annotated, Any

import typer

from afterimage.commands.options import DEFAULT_URL, Url

SHOWN = 5


def tune(
    stream_id: Annotated[str, typer.Argument(help="The stream's id.")],
    take: Annotated[bool, typer.Option("--take", help="Set what is proposed.")] = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Propose a stream's thresholds from its events that people marked right or wrong.

    Shows which of these the present thresholds and others would have given, recomputed from the stored scores: only
    events whose scores are still stored count. Nothing is changed without --take.

    Example: `afterimage tune front-door`.
    """
    from rich.console import Console

    from afterimage.client import Client
    from afterimage.show import tuning_table
    from afterimage.tuning import JudgedSpans, choices
    from shared.manifest import Thresholds
    from shared.streams import ThresholdOverride

    console = Console(highlight=False)
    with Client(url) as client:
        view = client.stream(stream_id)
        frames, events = list(client.scores(stream_id)), list(client.events(stream_id=stream_id))
        proposed: dict[str, Any] = {}
        for label, defaults in client.running_model(view)["thresholds"].items():
            scores = [(frame["at_ms"], frame["scores"][label]) for frame in frames if label in frame["scores"]]
            judged = JudgedSpans.of(events, label, [at_ms for at_ms, _ in scores])
            if not (judged.right or judged.wrong):
                continue
            override = ThresholdOverride.model_validate(view["thresholds"].get(label, {}))
            present, *others = choices(scores, judged, override.applied_to(Thresholds(**defaults)), 1000 / view["fps"])
            console.print(tuning_table(label, judged, present, others[:SHOWN]))
            if others and others[0].rank > present.rank:
                limits = {name: getattr(others[0].thresholds, name) for name in ("enter", "exit")}
                proposed[label] = override.model_dump(exclude_none=True) | limits
                typer.echo(f"{label}: enter {limits['enter']:g}, exit {limits['exit']:g} would agree with more")
        if not proposed:
            typer.echo("nothing to propose: no thresholds agree with more of the judged events whose scores are stored")
        elif take:
            client.change_stream(stream_id, {"thresholds": {**view["thresholds"], **proposed}})
            typer.echo("taken")
        else:
            typer.echo("nothing is changed; --take takes it")

"""The demo: one rendered clip for each kind of incident, played through the whole system, compared with the truth."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from afterimage.client import Client
from afterimage.data_folder import open_data_folder
from afterimage.interrupts import StopRequest
from afterimage.live import Message
from afterimage.own_key import key_file
from afterimage.show import clock, event_line
from afterimage.stack import Stack, StackOptions
from afterimage.watch import Watch, Watched
from shared.service.quantiles import buckets_of, quantile
from shared.streams import DEFAULT_MODEL
from training.choosing import choose
from training.metrics import Matches, match
from training.scenes.clips import LINGERING, render_demo_clip, render_repeated_clip
from training.scenes.incidents import FAULTS
from training.truth import Interval

LATENCY_METRIC = "afterimage_decode_to_commit_seconds"
LIVE_LABEL = "activity"
BASE_MS = 1_700_000_000_000
SEED = 0


@dataclass(frozen=True, slots=True)
class DemoClip:
    """A clip with one incident, and what is true of it."""

    label: str
    path: Path
    truth: tuple[Interval, ...]
    on_footage: bool = False

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.label}, footage" if self.on_footage else self.label

    @property
    def stream_id(self) -> str:
        """The id it is registered with."""
        return self.path.stem.replace("_", "-")

    @property
    def registration(self) -> dict[str, Any]:
        """The body of POST /v1/streams."""
        pace = "live" if self.label == LIVE_LABEL else "fast"
        return {
            "id": self.stream_id,
            "name": f"demo {self.name}",
            "source": str(self.path),
            "pace": pace,
            "base_ms": BASE_MS,
        }


def run_demo(
    options: StackOptions,
    labels: Sequence[str],
    console: Console,
    footage: Sequence[Path] = (),
    *,
    stays: bool = False,
) -> int:
    """Renders the clips, plays them, prints events and a closing table; returns 0 where every frame was processed.

    With footage, files and folders of it, the faults befall cameras that filmed it, too. One that stays then has all of
    it played over and over until the user wants an end.
    Raises StackFailed, ApiUnavailable, SourceRefused for footage that is not there, SourceFailed where it is of no use.
    """
    groups = footage_for(options.models / DEFAULT_MODEL, footage)

    def say(line: str) -> None:
        console.print(line, markup=False, soft_wrap=True)

    request = StopRequest()
    request.listen()
    _wipe(options.data)
    clips = render_clips(labels, groups, options.media_root, console, request)
    say("starting ingest, inference, API and Redis")
    with Stack(options, request, say) as stack:
        if stack.stopping:
            return 1
        if stays:
            _say_where(stack, say)
        say(f"{len(clips)} streams, registered at {stack.url}; what happens in them, as it happens:")
        streams = _play(stack, clips, console)
        latency = _latency(stack.metrics_urls["inference"])
        console.print(_table(clips, streams))
        code = 1 if _sum_up(streams, latency, say) or stack.stopping else 0
        if stays and not stack.stopping:
            _stay(stack, clips, groups, say)
    return code


def _sum_up(streams: Sequence[Watched], latency: str, say: Callable[[str], None]) -> bool:
    """Says how fast it was, and what failed; returns whether anything did."""
    fast = [stream for stream in streams if stream.wanted["pace"] == "fast"]
    frames, seconds = sum(stream.num_frames for stream in fast), max(stream.seconds for stream in fast)
    say(f"{len(fast)} fast streams: {frames} frames in {seconds:.1f} s, {frames / max(seconds, 0.001):.0f} frames/s")
    say(f"the live stream, decode to commit: {latency}")
    failed = [f"{stream.id}: {stream.failure}" for stream in streams if stream.failure]
    for line in failed:
        say(f"error: {line}")
    return bool(failed)


def _say_where(stack: Stack, say: Callable[[str], None]) -> None:
    say(f"page         {stack.url}/")
    say(f"its login    the admin key in {key_file()}")


def _stay(
    stack: Stack, clips: Sequence[DemoClip], footage: Mapping[str, Sequence[Path]], say: Callable[[str], None]
) -> None:
    """Plays the clips as cameras would, until the user wants an end, and says again where that is to be seen."""
    say("rendering what the cameras show that go on")
    paths = [_repeated(clip, footage) for clip in clips]
    with Client(stack.url, stack.key.text) as client:
        for clip, path in zip(clips, paths, strict=True):
            client.remove_stream(clip.stream_id)
            client.add_stream({"id": clip.stream_id, "name": clip.name, "source": str(path), "loop": True})
    say("the clips go on as cameras, over and over, until Ctrl-C; each shows its incident once in 20 s or in a minute")
    _say_where(stack, say)
    while stack.wait(0.2):
        pass


def _repeated(clip: DemoClip, footage: Mapping[str, Sequence[Path]]) -> Path:
    """The file that shows a clip's incident over and over."""
    if clip.label not in LINGERING:
        return clip.path
    path = clip.path.with_stem(f"{clip.path.stem}_repeated")
    render_repeated_clip(clip.label, SEED, path, footage=footage if clip.on_footage else None)
    return path


def footage_for(model: Path, footage: Sequence[Path]) -> Mapping[str, Sequence[Path]]:
    """What is new to the model of files and folders, by group; all where nothing is."""
    if not footage:
        return {}
    return choose(model, footage).groups or choose(model, footage, whole=True).groups


def _play(stack: Stack, clips: Sequence[DemoClip], console: Console) -> list[Watched]:
    by_id = {clip.stream_id: clip for clip in clips}

    def show(message: Message) -> None:
        beside = _beside(by_id[message.event["stream_id"]], message.event)
        console.print(event_line(message.event), beside, soft_wrap=True)

    with Client(stack.url, stack.key.text) as client:
        watch = Watch(stack, client, show, lambda _streams: None)
        return watch.run([clip.registration for clip in clips], max_at_once=len(clips))


def render_clips(
    labels: Sequence[str],
    footage: Mapping[str, Sequence[Path]],
    folder: Path,
    console: Console,
    request: StopRequest,
) -> list[DemoClip]:
    """Renders one clip for each label, at seeds that no training ever saw, until the user wants an end.

    With footage one for each fault on that, too: what is active there nobody has told.
    """
    folder.mkdir(parents=True, exist_ok=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    wanted = [(label, False) for label in labels]
    wanted += [(label, True) for label in labels if footage and label in FAULTS]
    clips = []
    with Progress(*columns, console=console) as progress:
        for label, on_footage in progress.track(wanted, description="rendering clips"):
            if request.stop.is_set():
                break
            path = folder / (f"{label}_footage.mp4" if on_footage else f"{label}.mp4")
            truth = render_demo_clip(label, SEED, path, footage=footage if on_footage else None)
            clips.append(DemoClip(label, path, tuple(truth), on_footage))
    return clips


def matches_of(clip: DemoClip, events: Mapping[str, Mapping[str, Any]]) -> Matches:
    """How a clip's closed events match its truth; of what is active on footage nothing is known."""
    known = [event for event in events.values() if event["label"] in FAULTS or not clip.on_footage]
    return match([_interval(event) for event in known], clip.truth)


def _interval(event: Mapping[str, Any]) -> Interval:
    start = event["media_started_seconds"]
    return Interval(event["label"], start, start + (event["ended_at_ms"] - event["started_at_ms"]) / 1000)


def _beside(clip: DemoClip, event: Mapping[str, Any]) -> Text:
    """The truth to be read beside an event."""
    if clip.on_footage and event["label"] not in FAULTS:
        return Text("truth: not known", "dim")
    true = [
        f"{clock(span.start_seconds)}–{clock(span.end_seconds)}" for span in clip.truth if span.label == event["label"]
    ]
    return Text(f"truth {', '.join(true)}" if true else "truth: nothing of the kind", "dim")


def _table(clips: Sequence[DemoClip], streams: Sequence[Watched]) -> Table:
    table = Table(
        "clip", "pace", "frames", "true", "found", "missed", "false", title="what was found", show_footer=False
    )
    total = Matches()
    for clip, stream in zip(clips, streams, strict=True):
        result = matches_of(clip, stream.closed)
        total += result
        _add_row(table, clip.name, clip.registration["pace"], stream.num_frames, result)
    table.add_section()
    _add_row(table, "all", "", sum(stream.num_frames for stream in streams), total)
    return table


def _add_row(table: Table, name: str, pace: str, frames: int, result: Matches) -> None:
    counts = (result.found + result.missed, result.found, result.missed, result.false)
    table.add_row(name, pace, str(frames), *(str(count) for count in counts))


def _latency(url: str) -> str:
    """Median and 99th percentile of the live stream, in words."""
    try:
        exposition = httpx.get(url, timeout=5.0, trust_env=False).raise_for_status().text
    except httpx.HTTPError as err:
        return f"unknown ({err})"
    buckets = buckets_of(exposition, LATENCY_METRIC, {"pace": "live"})
    p50, p99 = quantile(0.5, buckets), quantile(0.99, buckets)
    return "no frame" if p50 is None or p99 is None else f"p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms"


def _wipe(data: Path) -> None:
    """Removes what an earlier demo left in its data folder, and nothing else; StackFailed where that is in use."""
    with open_data_folder(data) as folder:
        for inner in (folder.redis, folder.logs, data / "clips"):
            shutil.rmtree(inner, ignore_errors=True)

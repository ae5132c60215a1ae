"""Annotations in ActivityNet's JSON: `database` → video → `subset`, `annotations` with `segment` and `label`.

Also read: a `group` and `duration` for each video, and `labels` beside `database`, which states their order. A video's
`judged`, a list like `annotations`, says where alone it is known whether its labels hold, beside these; without it that
is known everywhere.
"""

from shared.errors import DatasetUnusable
from shared.words.validation import shown
from training.datasets.annotations import Entry, Listing, Segment, as_span
from training.datasets.located_json import Located, parse_json


def read_activitynet(text: str, listing: Listing) -> None:
    """Reads a whole file's text into the listing; raises DatasetUnusable where it is other JSON or none."""
    content = parse_json(text, listing.source)
    if not isinstance(content, Located) or not isinstance(content.get("database"), Located):
        raise DatasetUnusable(
            f"{listing.source}: JSON without a `database` object; allowed is ActivityNet's form, "
            '{"database": {VIDEO: {"subset": ..., "annotations": [{"segment": [start, end], "label": ...}]}}}'
        )
    if "labels" in content:
        _labels(content, listing)
    database = content["database"]
    for name, line in database.repeated:
        listing.problem(line, f"video {shown(name)}: annotated twice; line {database.lines[name]} counts")
    for name, video in database.items():
        entry = listing.entry(name, database.lines[name])
        if entry is not None:
            _video(entry, video, listing)


def _labels(content: Located, listing: Listing) -> None:
    line, labels = content.lines["labels"], content["labels"]
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        listing.problem(line, f"labels: {shown(labels)} is not a list of texts")
        return
    listing.labels = [(label, line) for label in labels]


def _video(entry: Entry, video: object, listing: Listing) -> None:
    if not isinstance(video, Located):
        listing.problem(entry.line, f"video {shown(entry.name)}: {shown(video)} is not an object")
        return
    for key, line in video.repeated:
        listing.problem(line, f"video {shown(entry.name)}: {shown(key)} stands twice; the first counts")
    entry.group = listing.word(entry, "group", video.get("group"), video.lines.get("group"))
    entry.subset = listing.word(entry, "subset", video.get("subset"), video.lines.get("subset"))
    entry.seconds = _duration(entry, video, listing)
    _annotations(entry, video, "annotations", entry.segments, listing)
    if video.get("judged") is not None:
        entry.judged = []
        _annotations(entry, video, "judged", entry.judged, listing)


def _annotations(entry: Entry, video: Located, key: str, among: list[Segment], listing: Listing) -> None:
    annotations = video.get(key, [])
    if not isinstance(annotations, list):
        listing.problem(video.lines[key], f"video {shown(entry.name)}: {key} are not a list")
        return
    for annotation in annotations:
        _annotation(entry, annotation, among, listing)


def _duration(entry: Entry, video: Located, listing: Listing) -> float | None:
    if video.get("duration") is None:
        return None
    span = as_span(0, video["duration"])
    if not isinstance(span, str):
        return span[1]
    what = f"video {shown(entry.name)}: duration {shown(video['duration'])} is no length"
    listing.problem(video.lines["duration"], what)
    return None


def _annotation(entry: Entry, annotation: object, among: list[Segment], listing: Listing) -> None:
    if not isinstance(annotation, Located):
        listing.problem(entry.line, f"video {shown(entry.name)}: annotation {shown(annotation)} is not an object")
        return
    if missing := [key for key in ("label", "segment") if key not in annotation]:
        listing.problem(annotation.line, f"video {shown(entry.name)}: annotation without {' and '.join(missing)}")
        return
    segment = annotation["segment"]
    if not isinstance(segment, list) or len(segment) != 2:
        where = f"video {shown(entry.name)}, label {shown(annotation['label'])}"
        listing.problem(annotation.lines["segment"], f"{where}: segment {shown(segment)} is not [start, end]")
        return
    wrong = isinstance(as_span(*segment), str)
    line = annotation.lines["segment" if wrong else "label"]
    listing.span(entry, annotation["label"], (segment[0], segment[1]), line, among=among)

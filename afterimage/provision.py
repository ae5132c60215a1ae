"""Streams as a file: YAML, with what is secret as references to environment variables, `${FRONT_DOOR_LOGIN}`."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from afterimage.client import Client
from services.api.schemas.streams import StreamPut
from shared.errors import RequestRefused, SettingsInvalid
from shared.streams import StreamSpec
from shared.words.redaction import MASK

MAX_FILE_BYTES: Final = 16 << 20
REFERENCE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
WRITTEN: Final = tuple(name for name in StreamPut.model_fields if name not in {"name", "source", "fps", "base_ms"})
"""What is written to a file where it is not the default. A base time is one system's own."""

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """What becomes of one stream: `before` is how it is shown now, `after` how it is to be; None: there is none.

    `wanted` is the body of its PUT, `fields` are the names of those that differ, `etag` is for If-Match.
    """

    stream_id: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    wanted: Fields
    fields: tuple[str, ...] = ()
    etag: str = ""

    def lines(self) -> Iterator[str]:
        """The change as a diff; nothing where nothing changes."""
        if self.before is None and self.after is not None:
            yield f"+ {self.stream_id}: {self.after['name']}, {self.after['source']}"
        elif self.after is None:
            yield f"- {self.stream_id}"
        elif self.before is not None and self.fields:
            yield f"~ {self.stream_id}"
            for name in self.fields:
                old, new = self.before[name], self.after[name]
                yield f"    {name}: {old} → {new if new != old else 'another login'}"


def read_streams(path: Path, environment: Mapping[str, str]) -> dict[str, Fields]:
    """The streams that a file names, by id, with the variables' values in their sources; raises SettingsInvalid."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise SettingsInvalid(f"{path}: is larger than {MAX_FILE_BYTES} bytes")
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as err:
        raise SettingsInvalid(f"{path}: {err.strerror}") from err
    except (UnicodeDecodeError, yaml.YAMLError) as err:
        mark = getattr(err, "problem_mark", None)
        raise SettingsInvalid(f"{path}: {f'line {mark.line + 1}: ' if mark else ''}is no YAML") from err
    listed = content.get("streams") if isinstance(content, dict) and set(content) == {"streams"} else None
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise SettingsInvalid(f"{path}: must hold `streams:` and nothing else, a list of streams")
    wanted: dict[str, Fields] = {}
    for number, each in enumerate(listed, 1):
        stream_id = each.pop("id", None)
        if not isinstance(stream_id, str) or stream_id in wanted:
            said = (
                "has no id, which is text" if not isinstance(stream_id, str) else f"has the id of another: {stream_id}"
            )
            raise SettingsInvalid(f"{path}: stream {number} {said}")
        if isinstance(source := each.get("source"), str):
            each["source"] = _with_values(source, environment, f"{path}: stream {stream_id}: source")
        wanted[stream_id] = each
    return wanted


def _with_values(text: str, environment: Mapping[str, str], place: str) -> str:
    if missing := [name for name in REFERENCE.findall(text) if name not in environment]:
        raise SettingsInvalid(f"{place}: the environment has no {', '.join(missing)}")
    return REFERENCE.sub(lambda found: environment[found[1]], text)


def compare(client: Client, wanted: Mapping[str, Fields], *, prune: bool) -> list[Difference]:
    """What would have to change, as the API judges it, which changes nothing; raises RequestRefused with all it says.

    With `prune` streams that are not wanted go.
    """
    present = {view["id"]: view for view in client.streams()}
    changes, refusals = [], []
    for stream_id, fields in wanted.items():
        try:
            placed = client.place_stream(stream_id, fields, dry_run=True)
        except RequestRefused as err:
            refusals.append(f"{stream_id}: {err}")
        else:
            before = present.get(stream_id)
            changes.append(Difference(stream_id, before, placed.view, fields, placed.changed, placed.etag))
    if refusals:
        raise RequestRefused("nothing was changed: " + "\n".join(refusals))
    gone = sorted(present.keys() - wanted.keys()) if prune else ()
    return changes + [Difference(stream_id, present[stream_id], None, {}) for stream_id in gone]


def carry_out(client: Client, changes: Iterable[Difference]) -> None:
    """Makes it so, unless somebody else has changed a stream meanwhile; raises RequestRefused then."""
    for change in changes:
        if change.after is None:
            client.remove_stream(change.stream_id, missing_ok=True)
        elif change.before is None:
            client.place_stream(change.stream_id, change.wanted, if_none_match="*")
        elif change.fields:
            client.place_stream(change.stream_id, change.wanted, if_match=change.etag)


def written(views: Iterable[Mapping[str, Any]]) -> str:
    """The streams as a file that `read_streams` reads once the variables that it names are set."""
    spec = StreamSpec.model_construct(id="", name="", source="", base_ms=0, generation=1, created_at_ms=0)
    defaults = spec.model_dump(mode="json")
    variables: list[str] = []
    streams = [_written(view, defaults, variables) for view in views]
    head = "".join(f"# {name}: what is hidden of the source, such as user:password\n" for name in variables)
    return head + yaml.safe_dump({"streams": streams}, sort_keys=False, allow_unicode=True, width=120)


def _written(view: Mapping[str, Any], defaults: Mapping[str, Any], variables: list[str]) -> Fields:
    def reference(_mask: re.Match[str]) -> str:
        stem = re.sub("[^A-Z0-9]", "_", f"{'' if view['id'][0].isalpha() else 'STREAM_'}{view['id'].upper()}_LOGIN")
        number, name = 1, stem
        while name in variables:
            number, name = number + 1, f"{stem}_{number + 1}"
        variables.append(name)
        return f"${{{name}}}"

    fields: Fields = {"id": view["id"], "name": view["name"]}
    fields["source"] = re.sub(re.escape(MASK), reference, view["source"])
    if view["fps_given"]:
        fields["fps"] = view["fps"]
    return fields | {name: _plain(view[name]) for name in WRITTEN if view[name] != defaults[name]}


def _plain(value: object) -> object:
    """Without what is null."""
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items() if each is not None}
    return value

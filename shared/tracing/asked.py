"""What the environment asks for, by the names that OpenTelemetry gives such settings, and whether it can be done.

Its library goes on with its defaults where something is wrong, and says so with the value, which may be a key. So what
matters here is looked at before, and no value is ever repeated.
"""

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

PREFIXES: Final = ("OTEL_EXPORTER_OTLP_TRACES_", "OTEL_EXPORTER_OTLP_")
ENDPOINTS: Final = tuple(f"{prefix}ENDPOINT" for prefix in PREFIXES)
TIMEOUTS: Final = tuple(f"{prefix}TIMEOUT" for prefix in PREFIXES)
DISABLED: Final = "OTEL_SDK_DISABLED"
EXPORTER: Final = "OTEL_TRACES_EXPORTER"
PROTOCOL: Final = "http/protobuf"
SAMPLERS: Final = ("always_on", "always_off", "traceidratio")
QUEUE, BATCH = "OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"
DEFAULT_QUEUE, DEFAULT_BATCH = 2048, 512
"""The library's."""
_HEADER: Final = re.compile(r"[!#-'*+\-.0-9A-Z^-z|~]+[ \t]*=[ !#-+\--:<-\[\]-~]*")


def is_wanted(environment: Mapping[str, str]) -> bool:
    """Whether spans are to go anywhere."""
    if _said(environment, DISABLED) == "true" or _said(environment, EXPORTER) == "none":
        return False
    return any(_said(environment, name) for name in (*ENDPOINTS, EXPORTER))


def problem_of(environment: Mapping[str, str]) -> str | None:
    """Which variable asks for what there is not here, and what is allowed."""
    for name, is_right, allowed in RULES:
        if (given := environment.get(name, "").strip()) and not is_right(given):
            return f"{name}: {allowed}"
    return None if _batch_fits(environment) else f"{BATCH}: allowed is at most {QUEUE}"


def _said(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name, "").strip().lower()


def _one_of(*words: str) -> Callable[[str], bool]:
    return lambda given: given.lower() in words


def _is_endpoint(given: str) -> bool:
    try:
        parts = urlsplit(given)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _are_headers(given: str) -> bool:
    return all(_HEADER.fullmatch(each.strip()) for each in given.split(",") if each.strip())


def _are_attributes(given: str) -> bool:
    return all("=" in each and each.partition("=")[0].strip() for each in given.split(",") if each.strip())


def _number(given: str) -> float:
    try:
        return float(given)
    except ValueError:
        return math.nan


def _is_whole(given: str) -> bool:
    return given.isascii() and given.isdecimal() and len(given) < 10


def _batch_fits(environment: Mapping[str, str]) -> bool:
    batch, queue = (environment.get(name, "").strip() for name in (BATCH, QUEUE))
    return int(batch or DEFAULT_BATCH) <= int(queue or DEFAULT_QUEUE)


def _of_otlp(*names: str) -> list[str]:
    return [f"{prefix}{name}" for name in names for prefix in PREFIXES]


_WAYS: Final[tuple[tuple[list[str], Callable[[str], bool], str], ...]] = (
    ([DISABLED], _one_of("true", "false"), "allowed are true and false"),
    ([EXPORTER], _one_of("otlp", "none"), "allowed are otlp and none"),
    (_of_otlp("PROTOCOL"), _one_of(PROTOCOL), f"allowed is {PROTOCOL}"),
    (_of_otlp("ENDPOINT"), _is_endpoint, "allowed are http:// and https:// with a host"),
    (_of_otlp("HEADERS"), _are_headers, "allowed are name=value, with commas between, values percent-encoded"),
    (_of_otlp("TIMEOUT"), lambda given: 0 < _number(given) < math.inf, "allowed are seconds, more than 0"),
    (_of_otlp("COMPRESSION"), _one_of("none", "gzip", "deflate"), "allowed are none, gzip and deflate"),
    (
        _of_otlp("CERTIFICATE", "CLIENT_KEY", "CLIENT_CERTIFICATE"),
        lambda given: Path(given).is_file(),
        "there is no such file",
    ),
    (
        ["OTEL_TRACES_SAMPLER"],
        _one_of(*SAMPLERS, *(f"parentbased_{each}" for each in SAMPLERS)),
        f"allowed are {', '.join(SAMPLERS)}, each also with parentbased_ before it",
    ),
    (["OTEL_TRACES_SAMPLER_ARG"], lambda given: 0 <= _number(given) <= 1, "allowed is a share from 0 to 1"),
    (["OTEL_RESOURCE_ATTRIBUTES"], _are_attributes, "allowed are name=value, with commas between"),
    (
        [QUEUE, BATCH, "OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_EXPORT_TIMEOUT"],
        lambda given: _is_whole(given) and int(given) > 0,
        "allowed is a whole number of at least 1",
    ),
    (
        [f"OTEL_{each}ATTRIBUTE_COUNT_LIMIT" for each in ("", "SPAN_", "EVENT_", "LINK_")]
        + [f"OTEL_{each}ATTRIBUTE_VALUE_LENGTH_LIMIT" for each in ("", "SPAN_")]
        + ["OTEL_SPAN_EVENT_COUNT_LIMIT", "OTEL_SPAN_LINK_COUNT_LIMIT"],
        _is_whole,
        "allowed is a whole number",
    ),
)
RULES: Final = [(name, is_right, allowed) for names, is_right, allowed in _WAYS for name in names]

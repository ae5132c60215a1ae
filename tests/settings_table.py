"""Settings as the operations guide and the chart list them.

`PYTHONPATH=tests:. python -m settings_table` prints the guide's tables and writes the chart's names.
"""

import re
from typing import get_args

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from services.api.settings import ApiSettings, DeliverySettings, RecorderSettings
from services.inference.settings import InferenceSettings
from services.ingest.settings import IngestSettings
from shared.service.settings import PROJECT_ROOT, ServiceSettings

TABLES: dict[str, type[ServiceSettings]] = {
    "Every service": ServiceSettings,
    "Ingest": IngestSettings,
    "Inference": InferenceSettings,
    "Api": ApiSettings,
    "Delivery": DeliverySettings,
    "Recorder": RecorderSettings,
}
CHART_SCHEMA = PROJECT_ROOT / "deploy" / "helm" / "afterimage" / "values.schema.json"
CHART_NAMES = re.compile(r'(?<="\^AFTERIMAGE_\()[A-Z0-9_|]*(?=\)\$": \{"type": "string"\})')
NOT_OF_ENV = {"redis_url", "secret_key", "admin_key_hash"} | {
    "partitions", "metrics_host", "metrics_port", "api_host", "api_port", "api_root_path"
}  # fmt: skip
"""Secrets, and what the chart has values of its own for, which ports, probes and the Ingress go by."""
HEAD = "| variable | default | allowed | |\n| --- | --- | --- | --- |\n"


def table(kind: type[ServiceSettings]) -> str:
    """A class's own settings, a row each."""
    shared = () if kind is ServiceSettings else ServiceSettings.model_fields
    return HEAD + "".join(_row(name, field) for name, field in kind.model_fields.items() if name not in shared)


def names_in_the_chart() -> str:
    """What may stand in its values' `env`, in one pattern."""
    return "|".join(
        sorted({name.upper() for kind in TABLES.values() for name in kind.model_fields.keys() - NOT_OF_ENV})
    )


def _row(name: str, field: FieldInfo) -> str:
    return f"| `AFTERIMAGE_{name.upper()}` | {_default(field)} | {_allowed(field)} | {field.description} |\n"


def _default(field: FieldInfo) -> str:
    if field.default_factory:
        return "the working directory"
    value = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
    text = f"{value:g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value)
    return f"`{text.replace(f'{PROJECT_ROOT}/', '')}`" if text else ""


def _allowed(field: FieldInfo) -> str:
    if field.annotation is bool:
        return "`true`, `false`"
    if choices := get_args(field.annotation):
        return ", ".join(f"`{choice}`" for choice in choices)
    bounds = {name: getattr(each, name) for each in field.metadata for name in ("ge", "le") if hasattr(each, name)}
    if bounds:
        return f"{bounds['ge']} to {bounds['le']}"
    patterns = [each.pattern for each in field.metadata if getattr(each, "pattern", None)]
    return "`auto`, `cpu`, `cuda`, `cuda:N`" if patterns else ""


if __name__ == "__main__":
    for title, settings in TABLES.items():
        print(f"### {title}\n\n{table(settings)}")
    CHART_SCHEMA.write_text(CHART_NAMES.sub(names_in_the_chart(), CHART_SCHEMA.read_text(), count=1))

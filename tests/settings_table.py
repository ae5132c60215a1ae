"""Settings as the operations guide lists them: `PYTHONPATH=tests python -m settings_table` prints its tables."""

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
HEAD = "| variable | default | allowed | |\n| --- | --- | --- | --- |\n"


def table(kind: type[ServiceSettings]) -> str:
    """A class's own settings, a row each."""
    shared = () if kind is ServiceSettings else ServiceSettings.model_fields
    return HEAD + "".join(_row(name, field) for name, field in kind.model_fields.items() if name not in shared)


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

"""Options that several commands share, and their defaults."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import platformdirs
import typer

if TYPE_CHECKING:
    from services.api.security.keys import ApiKey

PROJECT_ROOT = Path(__file__).resolve().parents[2]

CAMERA_HELP = "an rtsp(s):// or http(s):// URL, or device:0"
SOURCE = "AFTERIMAGE_SOURCE"
LOGIN_HELP = "One with a password is better given in the variable."
FPS_HELP = "Frames sampled per second. Default: the model's rate."
DEVICE_HELP = "Where the model runs: auto, cpu, cuda or cuda:N."

Device = Annotated[str, typer.Option(help=DEVICE_HELP)]
Models = Annotated[Path, typer.Option(help="Folder of models, one folder each.", envvar="AFTERIMAGE_MODELS_DIR")]
Url = Annotated[str, typer.Option(help="The API to talk to.", envvar="AFTERIMAGE_URL")]
RtspTransport = Annotated[
    Literal["tcp", "udp", "http", "https"] | None,
    typer.Option(help="How an RTSP camera's pictures travel. Default: tcp."),
]
Skip = Annotated[
    Literal["none", "auto", "keyframes"] | None,
    typer.Option(help="Pictures that are not decoded. Default: auto, those that sampling does not need."),
]

DEFAULT_MODELS = PROJECT_ROOT / "models"
DEFAULT_URL = "http://127.0.0.1:8000"


def user_data() -> Path:
    """The platform's folder for this program's data."""
    return platformdirs.user_data_path("afterimage")


def own_key() -> "ApiKey":
    """The admin key of whoever uses this machine, made where there is none; raises SettingsInvalid."""
    from afterimage.own_key import kept_key, key_file
    from services.api.security.keys import ApiKey
    from shared.errors import SettingsInvalid

    key = ApiKey.parse(kept_key(lambda: ApiKey.new().text))
    if key is None:
        raise SettingsInvalid(f"{key_file()}: holds no whole key; put it right, or remove it and have another made")
    return key

"""The queries of the Grafana dashboards."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.service.settings import PROJECT_ROOT

GRAFANA = PROJECT_ROOT / "deploy" / "grafana"
FILES = sorted((GRAFANA / "dashboards").glob("*.json"))
OPTIONAL_ROW = "GPU (where workers have one)"
"""Its panels show nothing where no worker has one."""


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a panel, or of the annotations."""

    dashboard: str
    panel: str
    expr: str
    is_optional: bool

    def filled(self, stream_id: str) -> str:
        """The query with Grafana's variables replaced, as Grafana would for a view of 30 minutes."""
        values = {"$stream": stream_id, "$__rate_interval": "1m", "$__range": "30m"}
        text = self.expr
        for name, value in values.items():
            text = text.replace(name, value)
        assert "$" not in text, text
        return text


def board(path: Path) -> dict[str, Any]:
    """A dashboard."""
    return json.loads(path.read_text())  # type: ignore[no-any-return]


def queries() -> Iterator[Query]:
    """Every query of every dashboard; annotations show events, of which there may be none."""
    for path in FILES:
        content, row = board(path), ""
        for panel in content["panels"]:
            row = panel["title"] if panel["type"] == "row" else row
            for target in panel.get("targets", []):
                yield Query(content["title"], panel["title"], target["expr"], row == OPTIONAL_ROW)
        for annotation in content["annotations"]["list"]:
            yield Query(content["title"], annotation["name"], annotation["expr"], is_optional=True)

"""The operations guide lists every setting as it is."""

import pytest
from settings_table import TABLES, table

from shared.service.settings import PROJECT_ROOT

GUIDE = (PROJECT_ROOT / "docs" / "operations.md").read_text()


@pytest.mark.parametrize("title", TABLES)
def test_settings_are_listed_as_they_are(title: str) -> None:
    wanted = f"### {title}\n\n{table(TABLES[title])}"
    assert wanted in f"{GUIDE}\n", "docs/operations.md is out of date: see tests/settings_table.py"


def test_every_setting_says_what_it_does() -> None:
    for kind in TABLES.values():
        assert [name for name, field in kind.model_fields.items() if not field.description] == []

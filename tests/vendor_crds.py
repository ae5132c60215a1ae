"""`python tests/vendor_crds.py`: takes the schemas of others' resources from PyPI, at the versions that stand here.

Their makers' CRDs are there as pydantic models for a newer Python, with builders around them. Of these only the fields
are read that a resource of ours may have, and written as JSON Schema that allows no others. `tests/crds` holds them
and says of each where it is from.
"""

import ast
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final

CRDS: Final = Path(__file__).parent / "crds"
PACKAGES: Final = {
    "cloudcoil-models-keda==2.20.2.1": ("cloudcoil/models/keda/v1alpha1.py", ("ScaledObject",)),
    "cloudcoil-models-prometheus-operator==0.93.1.1": (
        "cloudcoil/models/prometheus_operator/v1.py",
        ("ServiceMonitor", "PrometheusRule"),
    ),
}
HEAD: Final = """
from __future__ import annotations
from typing import *
import pydantic
from pydantic import AwareDatetime, ConfigDict, Field, RootModel
class BaseModel(pydantic.BaseModel, extra="forbid"): pass
class Resource(BaseModel): pass
ObjectMeta = dict[str, Any]
"""


def main() -> int:
    """Writes all of them."""
    CRDS.mkdir(exist_ok=True)
    for package, (path, kinds) in PACKAGES.items():
        classes = {each.name: each for each in ast.parse(_source(package, path)).body if isinstance(each, ast.ClassDef)}
        for kind in kinds:
            told = {"$comment": f"{kind} of {package} on PyPI (Apache-2.0), from its maker's CRD of that version"}
            schema = json.dumps(told | _schema(kind, classes), separators=(",", ":"), sort_keys=True)
            (CRDS / f"{kind}.json").write_text(f"{schema}\n")
    return 0


def _source(package: str, path: str) -> str:
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", name, package]
        subprocess.run([*command, "--python-version", "3.14", "--only-binary", ":all:"], check=True)
        [wheel] = Path(name).iterdir()
        with zipfile.ZipFile(wheel) as files:
            return files.read(path).decode()


def _schema(kind: str, classes: dict[str, ast.ClassDef]) -> dict[str, Any]:
    needed = dict.fromkeys(_needed(kind, classes))
    module = ModuleType("crds")
    sys.modules["crds"] = module
    exec(HEAD + "\n".join(_fields_alone(classes[name]) for name in needed), vars(module))
    model = vars(module)[kind]
    model.model_rebuild(_types_namespace=vars(module))
    schema: dict[str, Any] = _bare(model.model_json_schema())
    return schema


def _needed(name: str, classes: dict[str, ast.ClassDef], seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """A class and all that its fields name, those first. What only the cluster writes is left out."""
    for field in _fields(classes[name]):
        for node in ast.walk(field.annotation):
            if isinstance(node, ast.Name) and node.id in classes and node.id not in seen:
                yield from _needed(node.id, classes, seen | {name})
    yield name


def _fields(of: ast.ClassDef) -> list[ast.AnnAssign]:
    found = [each for each in of.body if isinstance(each, ast.AnnAssign)]
    return [each for each in found if ast.unparse(each.target) not in {"__cloudcoil_api__", "status"}]


def _fields_alone(of: ast.ClassDef) -> str:
    bases = ", ".join(map(ast.unparse, of.bases))
    lines = [f"    {ast.unparse(each)}" for each in _fields(of)] or ["    pass"]
    return "\n".join([f"class {of.name}({bases}):", *lines])


def _bare(schema: Any) -> Any:
    """Without titles and descriptions, but for fields that are called so."""
    if isinstance(schema, list):
        return [_bare(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    words = {
        name: each for name, each in schema.items() if not (name in {"title", "description"} and isinstance(each, str))
    }
    return {name: _bare(each) for name, each in words.items()}


if __name__ == "__main__":
    sys.exit(main())

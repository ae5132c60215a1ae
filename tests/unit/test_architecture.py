"""The rules of the house that a machine can check, read from the syntax trees."""

import ast
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("afterimage", "benchmarks", "services", "shared", "training")
FILES = sorted(path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
MAX_FILE_LINES, MAX_FUNCTION_LINES = 300, 50
SORTED = ("services/api", "services/ingest", "services/inference", "shared")
"""Where small rooms and crowded floors are looked for; what is not sorted yet stands not here."""
MAX_ROOMS, SMALL_ROOM_LINES = 10, 40
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "manager", "managers", "base", "common", "misc"}

MAY_NOT_IMPORT = {
    "shared": {"services", "training", "afterimage", "benchmarks", "torch", "cv2", "av", "fastapi", "uvicorn", "numpy"},
    "services/ingest": {
        "services.inference",
        "services.api",
        "training",
        "afterimage",
        "benchmarks",
        "torch",
        "fastapi",
        "uvicorn",
    },
    "services/ingest/sources": {
        "services.ingest.readers",
        "services.ingest.captures",
        "services.ingest.metrics",
        "services.ingest.settings",
        "multiprocessing",
        "redis",
    },
    "services/ingest/readers": {
        "services.ingest.captures",
        "services.ingest.metrics",
        "services.ingest.settings",
        "redis",
    },
    "services/inference": {"services.ingest", "services.api", "training", "afterimage", "benchmarks", "av", "fastapi"},
    "services/inference/network": {"redis", "threading", "concurrent", "queue", "time"},
    "services/api": {
        "services.ingest",
        "services.inference",
        "training",
        "afterimage",
        "benchmarks",
        "torch",
        "cv2",
    },
    "training": {"services.api", "afterimage", "benchmarks", "fastapi", "uvicorn", "httpx"},
    "afterimage": {"torch", "fastapi", "uvicorn"},
    "benchmarks": {"afterimage", "fastapi", "uvicorn", "httpx"},
}
ONLY_THERE = {
    "uvicorn": ("services/api",),
    "fastapi": ("services/api",),
    "starlette": ("services/api",),
    "httpx": ("services/ingest/sources", "services/api/delivery", "afterimage"),
    "httpcore": ("services/ingest/sources/network", "services/api/delivery"),
    "obstore": ("services/api/media/places/bucket.py",),
    "opentelemetry": ("shared/tracing/sending.py",),
    "av": ("services/ingest", "services/api/media/cutting/clip.py", "training", "afterimage", "benchmarks"),
}
"""Serving belongs to the api alone; asking to the sources, to delivery, and to the command line, which asks the api;
films to those who read them, and to one room that writes them."""


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{name.name}" for name in node.names)


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text())


def begins_with(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


@pytest.mark.parametrize("room", sorted(MAY_NOT_IMPORT))
def test_imports_go_one_way(room: str) -> None:
    files = [path for path in FILES if path.as_posix().startswith(room + "/")]
    assert files
    wrong = [
        f"{path} imports {name}"
        for path in files
        for name in imported(parsed(path))
        if any(begins_with(name, package) for package in MAY_NOT_IMPORT[room])
    ]
    assert wrong == []


@pytest.mark.parametrize("package", sorted(ONLY_THERE))
def test_only_the_edges_know_http_and_films(package: str) -> None:
    knowing = {path for path in FILES if any(begins_with(name, package) for name in imported(parsed(path)))}
    strangers = {path for path in knowing if not path.as_posix().startswith(ONLY_THERE[package])}
    assert knowing
    assert strangers == set()


def test_the_network_knows_nothing_of_the_worker() -> None:
    files = [path for path in FILES if path.as_posix().startswith("services/inference/network/")]
    known = {name for path in files for name in imported(parsed(path)) if begins_with(name, "services")}
    assert known
    assert all(begins_with(name, "services.inference.network") for name in known)


@pytest.mark.parametrize(
    ("module", "package"),
    [
        ("services.inference.network.config", "torch"),
        ("services.ingest.readers.nursery", "redis"),
        ("services.api.app", "obstore"),
    ],
)
def test_what_is_never_used_is_never_loaded(module: str, package: str) -> None:
    code = f"import sys; import {module}; sys.exit({package!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_scripts_say_what_they_take() -> None:
    parts = {"owns", "is_after", "wrong", "events", "cursor_moved"}
    scripts = sorted(path for path in (ROOT / "shared/store/lua").glob("*.lua") if path.stem not in parts)
    assert scripts
    for script in scripts:
        header = script.read_text().partition("\n-- KEYS:")
        assert header[0].startswith("-- "), script.name
        assert "ARGV:" in header[2], script.name


def test_policy_does_not_know_torch() -> None:
    policy = ("services/inference/pipeline/batcher", "services/inference/models/steps", "shared/life/tracker")
    for module in policy:
        names = list(imported(parsed(Path(f"{module}.py"))))
        assert not any(begins_with(name, package) for name in names for package in ("torch", "redis", "time"))


@pytest.mark.parametrize("path", FILES, ids=str)
def test_rooms_are_small(path: Path) -> None:
    assert path.stem not in FORBIDDEN_NAMES
    tree = parsed(path)
    assert len((ROOT / path).read_text().splitlines()) <= MAX_FILE_LINES
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < MAX_FUNCTION_LINES, f"{node.name} is too long"


def test_no_class_name_stands_for_two_things() -> None:
    places: defaultdict[str, list[str]] = defaultdict(list)
    for path in FILES:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(path.as_posix())
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}


def rooms_of(house: str) -> list[Path]:
    return [path for path in FILES if path.as_posix().startswith(house + "/") and not path.stem.startswith("__")]


@pytest.mark.parametrize("house", SORTED)
def test_small_rooms_are_shared(house: str) -> None:
    importers = Counter(name for path in FILES for name in {*modules_of(path)})
    lonely = [
        path.as_posix()
        for path in rooms_of(house)
        if path.parent.name != "routes"  # the app alone knows them
        and len((ROOT / path).read_text().splitlines()) < SMALL_ROOM_LINES
        and importers[".".join(path.with_suffix("").parts)] < 2
    ]
    assert lonely == []


def modules_of(path: Path) -> Iterator[str]:
    """What a file imports, as modules, whether it takes a name from one or the module itself."""
    for name in imported(parsed(path)):
        yield from (name, name.rpartition(".")[0])


@pytest.mark.parametrize("house", SORTED)
def test_floors_are_not_crowded(house: str) -> None:
    floors = Counter(path.parent.as_posix() for path in rooms_of(house))
    assert {floor: number for floor, number in floors.items() if number > MAX_ROOMS} == {}

"""What the web page is made of: small modules, all of them used, whole, and from nobody else's server."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from vendor_page import PACKAGES, VENDOR, sha256

from services.api.routes.page import part_of

PAGE: Final = VENDOR.parent
MAX_LINES, MAX_STYLE_LINES = 300, 200
SENT: Final = {".html", ".js", ".css", ".svg"}
"""What browsers take."""
MAX_FIRST_BYTES: Final = 60_000
"""Of the wall, which is seen first, as the api sends it: file by file, without comments and indentation, compressed."""
MAX_ALL_BYTES: Final = 150_000
"""Of everything, likewise."""
FILES: Final = sorted(path for path in PAGE.rglob("*") if path.is_file())
OWN: Final = [path for path in FILES if path.parent != VENDOR]
MODULES: Final = [path for path in OWN if path.suffix == ".js"]
STATIC: Final = re.compile(r"""(?:\bfrom|\bimport)\s*["'](\.[^"'\s]+)["']""")
LATER: Final = re.compile(r"""\bimport\(["'](\.[^"'\s]+)["']\)""")
ASSET: Final = re.compile(r"""new URL\("([^"]+)", import\.meta\.url\)""")
LINK: Final = re.compile(r'(?:href|src)="(page/[^"]+)"')
COMMENT: Final = re.compile(r"/\*.*?\*/", re.DOTALL)
NAMESPACES: Final = {"www.w3.org"}
"""Names of SVG and MathML, which nobody asks for."""


def named(path: Path) -> str:
    return path.relative_to(PAGE).as_posix()


def without_comments(path: Path) -> str:
    return COMMENT.sub("", path.read_text())


def linked() -> list[Path]:
    """What the page itself links to."""
    return [(PAGE.parent / link).resolve() for link in LINK.findall((PAGE / "index.html").read_text())]


def needed_by(paths: Iterable[Path], *kinds: re.Pattern[str]) -> set[Path]:
    """These files and all that they name, and so on; each is there."""
    needed: set[Path] = set()
    waiting = list(paths)
    while waiting:
        path = waiting.pop()
        assert path.is_file(), f"{named(path)} is wanted and not there"
        if path not in needed and path.suffix == ".js":
            text = without_comments(path)
            waiting += [
                (path.parent / name).resolve() for kind in kinds for name in kind.findall(text) if name != "../../"
            ]
        needed.add(path)
    return needed


def test_every_file_is_there_and_none_that_nobody_needs() -> None:
    needed = needed_by(linked(), STATIC, LATER, ASSET)
    needed |= {PAGE / "index.html", VENDOR / "vendor.json", *VENDOR.glob("*.LICENSE")}
    assert {named(path) for path in FILES} == {named(path) for path in needed}


def test_libraries_are_what_was_taken_from_npm() -> None:
    told = json.loads((VENDOR / "vendor.json").read_text())
    assert {name: sha256((VENDOR / name).read_bytes()) for name in told} == {
        name: entry["sha256"] for name, entry in told.items()
    }
    assert {name: (entry["package"], entry["file"]) for name, entry in told.items()} == {
        name: (package, file) for package, files in PACKAGES.items() for name, file in files.items()
    }
    assert {entry["licence"] for entry in told.values()} <= {"MIT", "Apache-2.0"}
    licences = {f"{next(iter(files)).removesuffix('.js')}.LICENSE" for files in PACKAGES.values()}
    assert {path.name for path in FILES if path.parent == VENDOR} == {*told, *licences, "vendor.json"}


def packed(path: Path) -> int:
    part = part_of(path, path.stat().st_mtime_ns)
    return len(part.packed or part.content)


def test_all_of_it_is_small() -> None:
    first = needed_by([*linked(), PAGE / "views" / "wall" / "wall.js"], STATIC, ASSET) | {PAGE / "index.html"}
    assert sum(packed(path) for path in first) < MAX_FIRST_BYTES
    assert sum(packed(path) for path in FILES if path.suffix in SENT) < MAX_ALL_BYTES


def test_files_are_small_and_say_what_they_are_for() -> None:
    for path in OWN:
        text = path.read_text()
        longest = MAX_STYLE_LINES if path.suffix == ".css" else MAX_LINES
        assert len(text.splitlines()) <= longest, named(path)
        assert path.suffix not in {".js", ".css"} or text.startswith("/* "), f"{named(path)}: no comment on top"


def test_nothing_is_fetched_from_elsewhere() -> None:
    for path in FILES:
        if path.suffix in SENT:
            hosts = set(re.findall(r"""(?:https?:|["'(])//([\w.-]+\.\w+)""", without_comments(path)))
            assert hosts <= NAMESPACES, named(path)


def test_nothing_needs_a_weaker_content_policy() -> None:
    for path in OWN:
        text = without_comments(path)
        assert not re.search(r"\beval\(|new Function\(|innerHTML|dangerouslySetInnerHTML|data:image", text), named(path)
        assert not re.search(r"""\sstyle=["']|\son[a-z]+=["']|<script>|<style""", text), named(path)


def words_defined() -> set[str]:
    texts = [without_comments(path) for path in MODULES if path.name.endswith(("strings.js", "words.js"))]
    return {
        first or second for text in texts for first, second in re.findall(r"""(?:(\w+)|"([^"]+)"):\s*["'`]""", text)
    }


def asked_in(text: str) -> Iterator[str]:
    """What stands in the first argument of `text(`: up to a comma or the end, outside any bracket."""
    for start in (found.end() for found in re.finditer(r"(?<![\w.])text\(", text)):
        depth, end = 0, start
        while depth or text[end] not in ",)":
            depth += (text[end] in "([{") - (text[end] in ")]}")
            end += 1
        yield text[start:end]


def words_used(path: Path) -> set[str]:
    """Words that the module asks for by name; those that it puts together are not told."""
    asked = (re.sub(r"""[!=]==\s*"[^"]*\"""", "", argument) for argument in asked_in(without_comments(path)))
    return {word for argument in asked for word in re.findall(r'"([^"]*)"', argument)}


def test_every_word_that_is_shown_has_its_place() -> None:
    defined = words_defined()
    for path in MODULES:
        assert words_used(path) <= defined, named(path)


def test_a_word_that_is_missing_is_told() -> None:
    assert list(asked_in('text("a", f(1)) + text(is(b, 2) ? "c" : "d") + context("e") + text(x)')) == [
        '"a"',
        'is(b, 2) ? "c" : "d"',
        "x",
    ]
    assert {"wall", "signOut"} <= words_defined()
    assert {"skip", "signOut", "connecting"} <= words_used(PAGE / "app.js")

"""The page's libraries, taken anew from npm at the versions that stand here: `make vendor`.

Each lies in one file, in the form that browsers take as a module. What is changed of it stands in `RENAMED`: a browser
does not know packages by name. `vendor.json` says of each file where it is from, and its hash, which a test compares.
"""

import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Final

VENDOR: Final = Path(__file__).resolve().parents[1] / "services" / "api" / "page" / "vendor"
PACKAGES: Final = {
    "preact@11.2.0": {"preact.js": "dist/preact.mjs", "hooks.js": "hooks/dist/hooks.mjs"},
    "htm@3.1.1": {"htm.js": "dist/htm.mjs"},
    "@preact/signals@2.11.4": {"signals.js": "dist/signals.mjs"},
    "@preact/signals-core@1.14.5": {"signals-core.js": "dist/signals-core.mjs"},
    "uplot@1.6.32": {"uplot.js": "dist/uPlot.iife.min.js", "uplot.css": "dist/uPlot.min.css"},
}
RENAMED: Final = {
    '"preact"': '"./preact.js"',
    '"preact/hooks"': '"./hooks.js"',
    '"@preact/signals-core"': '"./signals-core.js"',
}
"""Of imports."""
ADDED: Final = {"uplot.js": "\nexport default uPlot;\n"}
"""To a file that is a script, not a module."""


def main() -> int:
    """Writes all of them."""
    told: dict[str, dict[str, str]] = {}
    with tempfile.TemporaryDirectory() as name:
        for package, files in PACKAGES.items():
            command = ["npm", "pack", "--silent", package]
            packed = subprocess.run(command, cwd=name, check=True, capture_output=True, text=True).stdout.strip()
            told |= _unpack(Path(name) / packed, package, files)
    (VENDOR / "vendor.json").write_text(json.dumps(told, indent=2) + "\n")
    return 0


def sha256(content: bytes) -> str:
    """A file's hash."""
    return hashlib.sha256(content).hexdigest()


def _unpack(archive: Path, package: str, files: dict[str, str]) -> dict[str, dict[str, str]]:
    told = {}
    with tarfile.open(archive) as tar:
        licence = json.loads(_member(tar, "package.json"))["license"]
        for name, path in files.items():
            content = _as_module(name, _member(tar, path).decode())
            (VENDOR / name).write_text(content)
            told[name] = {
                "package": package,
                "file": path,
                "licence": licence,
                "package_sha256": sha256(archive.read_bytes()),
                "sha256": sha256(content.encode()),
            }
        (VENDOR / f"{next(iter(files)).removesuffix('.js')}.LICENSE").write_bytes(_member(tar, "LICENSE"))
    return told


def _as_module(name: str, content: str) -> str:
    lines = [line for line in content.splitlines(keepends=True) if not line.startswith("//# sourceMappingURL")]
    content = "".join(lines)
    for package, file in RENAMED.items():
        content = content.replace(f"from{package}", f"from{file}").replace(f"from {package}", f"from {file}")
    return content + ADDED.get(name, "")


def _member(tar: tarfile.TarFile, path: str) -> bytes:
    found = tar.extractfile(f"package/{path}")
    if found is None:
        raise FileNotFoundError(path)
    return found.read()


if __name__ == "__main__":
    sys.exit(main())

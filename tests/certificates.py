"""Certificates for servers of tests, made by openssl."""

import subprocess
from pathlib import Path

from patience import TOOL_SECONDS, unavailable


def self_signed(folder: Path, subject: str = "IP:127.0.0.1") -> Path:
    """A certificate, its own authority, with its key in the same file; `key.pem` beside it is the key alone."""
    path, key = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", f"/CN={subject.partition(':')[2]}", "-addext", f"subjectAltName={subject}"]
    try:
        subprocess.run([*command, "-keyout", key, "-out", path], capture_output=True, check=True, timeout=TOOL_SECONDS)
    except FileNotFoundError:
        unavailable("openssl")
    path.write_text(path.read_text() + key.read_text())
    return path

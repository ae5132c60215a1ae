"""Keeps credentials out of everything that people or machines read."""

import re

# Up to the last @ of the word: people paste passwords that hold / ? # and @ as they are.
_USER_INFO = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)[^\s\"]*@")
_SECRET_PARAMETER = re.compile(
    r"(?P<name>[?&;](?:pass(?:word|wd)?|pwd|token|key|api_?key|secret|auth|user(?:name)?)=)[^&#\s;'\"]*", re.IGNORECASE
)


def redact(text: str) -> str:
    """The text with URLs' user info and secret-looking query parameters replaced by `***`."""
    return _SECRET_PARAMETER.sub(r"\g<name>***", _USER_INFO.sub(r"\g<scheme>***@", text))

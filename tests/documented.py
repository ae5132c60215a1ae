"""The commands of a document's bash blocks, run as a reader would: one after the other, in one shell, as they stand."""

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from patience import TOOL_SECONDS, unavailable

FENCE = re.compile(r"^```(.*)\n((?:.*\n)*?)```$", re.MULTILINE)
COMMENT = re.compile(r"\s# (.*)$", re.MULTILINE)
STATUS = re.compile(r"\d{3}\b")
SAID = re.compile(r'"[^"]+"(?:: (?:"[^"]*"|[\d.]+|true|false|null))?')
MARK = "HTTP status"
TIMED_OUT = 28
"""curl's code where `--max-time` ended it, as is meant of what has no end."""
TELLING_CURL = f"curl() {{ command curl \"$@\" --write-out '%{{stderr}}\\n{MARK} %{{http_code}}\\n'; }}"


@dataclass(frozen=True, slots=True)
class Command:
    """A command as it stands in a document, with its comments, which say what comes of it.

    A comment that begins with three digits says the HTTP status, 200 where none does. What it has in double quotes, as
    `"state": "live"`, is in the answer.
    """

    text: str

    @property
    def calls_curl(self) -> bool:
        """Whether it asks the API by curl."""
        return re.search(r"\bcurl ", COMMENT.sub("", self.text)) is not None

    @property
    def status(self) -> str:
        """The HTTP status of every request that it makes."""
        told = [found.group() for comment in self._comments if (found := STATUS.match(comment))]
        return told[0] if told else "200"

    @property
    def said(self) -> list[str]:
        """What the answer holds."""
        return [each for comment in self._comments for each in SAID.findall(comment)]

    @property
    def is_bounded(self) -> bool:
        """Whether it is to end by the clock."""
        return "--max-time" in self.text

    @property
    def _comments(self) -> list[str]:
        return COMMENT.findall(self.text)


def blocks_of(document: str) -> list[tuple[str, str]]:
    """The language and the text of every block, in order."""
    return [(found[1], found[2]) for found in FENCE.finditer(document)]


def commands_of(document: str) -> list[Command]:
    """Every command of its bash blocks; fails where one is not whole."""
    blocks = [block for language, block in blocks_of(document) if language == "bash"]
    return [Command(text) for block in blocks for text in _whole_commands(block)]


def _whole_commands(block: str) -> Iterator[str]:
    """As many lines at a time as bash takes for a whole: quotes, loops and here-documents closed."""
    text = ""
    for line in block.splitlines(keepends=True):
        text += line
        if text.strip() and not text.endswith("\\\n") and _is_whole(text):
            yield text.rstrip("\n")
            text = ""
    assert not text.strip(), f"not a whole command: {text}"


def _is_whole(text: str) -> bool:
    looked = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
    return looked.returncode == 0 and not looked.stderr  # bash only warns of a here-document without its end


class Shell:
    """A running bash that takes one command after the other."""

    def __init__(self, folder: Path, bash: subprocess.Popen[str]) -> None:
        self._folder = folder
        self._bash = bash
        self._number = 0

    def run(self, command: Command) -> str:
        """What the command printed. Fails where it fails, or where what comes of it is not what its comments say."""
        code, output, errors = self._run(command.text)
        shown = f"{command.text}\n{output[-2000:]}\n{errors[-2000:]}"
        assert code == 0 or (code == TIMED_OUT and command.is_bounded), f"ended with {code}: {shown}"
        statuses = re.findall(rf"{MARK} (\d+)", errors)
        assert bool(statuses) == command.calls_curl, f"calls curl: {shown}"
        assert set(statuses) <= {command.status}, f"should be HTTP {command.status}: {shown}"
        for said in command.said:
            assert _plain(said) in _plain(output), f"should hold {said}: {shown}"
        return output

    def _run(self, text: str) -> tuple[int, str, str]:
        """The exit code, and what came on standard output and error; the command has no input."""
        self._number += 1
        out, err = (self._folder / f"{self._number}.{name}" for name in ("out", "err"))
        assert self._bash.stdin
        assert self._bash.stdout
        self._bash.stdin.write(f"{{\n{text}\n}} </dev/null >'{out}' 2>'{err}'; echo $?\n")
        self._bash.stdin.flush()
        code = self._bash.stdout.readline()
        assert code, f"not done within {TOOL_SECONDS:g} s, or it ended the shell: {text}"
        return int(code), out.read_text(errors="replace"), err.read_text(errors="replace")


@contextmanager
def shell(folder: Path, variables: Mapping[str, str]) -> Iterator[Shell]:
    """A bash with these variables, whose curl also tells statuses; it lives for TOOL_SECONDS at most."""
    for program in ("bash", "curl", "jq"):
        if not shutil.which(program):
            unavailable(program)
    folder.mkdir()
    command = ["bash", "--noprofile", "--norc", "-o", "pipefail"]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AFTERIMAGE_")}
    environment = {**inherited, **variables}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, process_group=0
    ) as bash:
        alarm = threading.Timer(TOOL_SECONDS, os.killpg, (bash.pid, 9))
        alarm.start()
        try:
            assert bash.stdin
            bash.stdin.write(f"{TELLING_CURL}\n")
            yield Shell(folder, bash)
        finally:
            alarm.cancel()
            bash.kill()


def _plain(text: str) -> str:
    """Without space and quotes, so that a claim is found however the answer is set."""
    return re.sub(r'[\s"]', "", text)

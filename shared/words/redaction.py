"""Keeps logins, keys and tokens out of everything that people or machines read.

Cameras take them as user info, in the query, and in the path. So what is shown of a source is scheme, host, port and
the plain words of its path, with the names of its parameters: kinds are hidden, as no list of names is ever complete.
"""

import re
import unicodedata
from itertools import pairwise
from typing import Final
from urllib.parse import unquote

from shared.words.plain_words import TELLING_NAMES, awaits_secret, is_plain, looks_random, names_secret
from shared.words.urls import ADDRESS, KNOWN_SCHEME, URL, split_rest

MASK: Final = "***"

KEY_PORTS: Final = frozenset({"7441", "7447"})
"""UniFi's, where the path is the key."""
PATH_WORDS: Final = re.compile("cam|camera|channels?|live|media|mjpg|streams?|streaming|video", re.IGNORECASE)

_NAME: Final = re.compile(r"[A-Za-z][\w.\[\]-]{0,31}")
_SUFFIX: Final = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,3}$")
_IPTV: Final = re.compile(r"/(?:(?P<kind>live|movie|series|timeshift)/)?(?P<user>[^/]+)/[^/]+/[0-9]+(?:\.\w+)?")
_MANY_HOSTS: Final = re.compile(
    r"(?P<login>.*@)?(?P<hosts>[\w.:\[\]-]+(?:,[\w.:\[\]-]+)+)(?P<tail>[/?#][^@]*)?", re.DOTALL
)

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}$")
_URL_WORD: Final = re.compile(r"(?:[^\s\"<>]|(?<=[={\[:,])\"[^\"]*\"?)*")
"""With quoted words where one assigns them: `?q={"password":"…"}`."""
_LOOSE_WORD: Final = re.compile(r"[^\s\"'<>]+")
_TELLING: Final = re.compile("[%@=?/]")
_SENTENCE_END: Final = re.compile(r"[;:,.!?)'\]}]*$")
_MODEL: Final = r"[0-9a-f]{8}(?![\w.])"
"""What follows the @ of `camera-events@0123abcd`, which is a model and no login."""
_LOGIN_END: Final = re.compile(f"@(?!{_MODEL})")
_HOST_IN_TEXT: Final = re.compile(r"[\w-]*[.:/\\\[{]|localhost")
_ASSIGNED: Final = re.compile(f"(?:{TELLING_NAMES})=", re.IGNORECASE)
_SPOKEN: Final = re.compile(
    rf"(?:(?<!\S)--?(?:{TELLING_NAMES})\s+"  # -user admin -pass …
    r"|\b(?:\w{0,16}[_-])?(?:pass|passw\w{1,8}|pwd|psw|secret|token|api_?key)\b[\"']?\s{0,4}:\s{0,4})"  # password: …
    r"(?P<value>\"[^\"]*\"?|'[^']*'?|[^\s\"'<>]+)",
    re.IGNORECASE,
)
_HALF_URL: Final = re.compile(rf"\b(?!file|unix)(?:{KNOWN_SCHEME.pattern})\s?[:;]\s?[/\\].*", re.IGNORECASE | re.DOTALL)
"""A URL that was mistyped: nobody can say where it ends."""
_OWN_KEY: Final = re.compile(r"\b(afi_[0-9a-f]{16})_[0-9a-f]{32,}\w*")
"""A key of this api, but for what it is called."""
MAX_URL: Final = 4096


def shown_source(text: str) -> str:
    """What may be seen of a source; the same for what was shown before."""
    if url := URL.fullmatch(text):
        return _shown_url(url["scheme"], url["rest"])
    address = ADDRESS.fullmatch(text.strip())
    return _shown_address(address) if address and address["port"] else _shown_file(text.strip())


def redact(text: str) -> str:
    """A text with all that may be a secret replaced by `***`: in URLs, before an @, after `password=`."""
    shown, at = [], 0
    starts = [found.start() for found in re.finditer("://", text)]
    for start in starts:
        scheme = _SCHEME.search(text, max(at, start - 31), start)
        if start < at or not scheme:  # a URL within a URL, which is gone already
            continue
        shown.append(_redact_loose(text[at : scheme.start()]))
        url, at = _url_in_text(scheme[0], text, start + len("://"))
        shown.append(url)
    return "".join([*shown, _redact_loose(text[at:])])


def _url_in_text(scheme: str, text: str, begin: int) -> tuple[str, int]:
    """The URL whose rest begins there, as it may be seen, and where the text goes on."""
    scheme = scheme if KNOWN_SCHEME.fullmatch(scheme) else MASK
    word = _URL_WORD.match(text, begin)
    rest = word[0] if word else ""
    following = text.find("://", begin + len(rest))
    later = list(_LOGIN_END.finditer(text, begin + len(rest), following if following >= 0 else len(text)))
    if later:  # a password that holds a space or a quotation mark
        return f"{scheme}://{MASK}@", later[-1].end()
    if len(rest) > MAX_URL:
        return f"{scheme}://{MASK}", begin + len(rest)
    end_mark = _SENTENCE_END.search(rest)
    url = rest[: end_mark.start()] if end_mark else rest
    return _shown_url(scheme, url), begin + len(url)


def _redact_loose(text: str) -> str:
    """What is no URL: one that was mistyped, a login, an assignment."""
    text = _OWN_KEY.sub(rf"\1_{MASK}", _HALF_URL.sub(MASK, text))
    text = _SPOKEN.sub(lambda said: said[0][: said.start("value") - said.start()] + MASK, text)
    return _LOOSE_WORD.sub(lambda word: _redact_word(word[0]), text)


def _redact_word(word: str) -> str:
    if word.isascii() and not _TELLING.search(word):
        return word
    if ("%" in word or not word.isascii()) and (decoded := plain_form(word)) != word:
        return word if redact(decoded) == decoded else MASK
    before, _, host = word.rpartition("@")
    is_login = before and _LOGIN_END.search(word, len(before)) and (":" in before or _HOST_IN_TEXT.match(host))
    if is_login:
        return f"{MASK}@{_redact_word(host)}"
    if address := ADDRESS.fullmatch(word):
        return _shown_address(address)
    if assigned := _ASSIGNED.search(word):
        return word[: assigned.end()] + MASK
    path, _, query = word.partition("?")
    return f"{path}?{MASK}" if "=" in query else word


def _shown_address(address: re.Match[str]) -> str:
    """A URL without its scheme."""
    return address[0][: address.start("tail")] + _shown_tail(address["tail"], address["port"] or "")


def _shown_url(scheme: str, rest: str) -> str:
    if not KNOWN_SCHEME.fullmatch(scheme):
        return MASK
    if local := {"file": _shown_file, "unix": _shown_socket}.get(scheme.lower()):
        return f"{scheme}://{local(rest)}"
    if scheme.startswith("redis") and (many := _MANY_HOSTS.fullmatch(rest)):
        return f"{scheme}://{f'{MASK}@' if many['login'] else ''}{many['hosts']}{_shown_tail(many['tail'] or '')}"
    if rest.startswith("/") and "@" not in rest:  # a host that was forgotten
        return f"{scheme}://{_shown_tail(rest)}"
    parts = split_rest(rest)
    if parts is None or parts.is_doubtful:
        return f"{scheme}://{MASK}" if rest else f"{scheme}://"
    login, port = f"{MASK}@" if parts.login else "", f":{parts.port}" if parts.port else ""
    is_web = scheme.lower() in ("http", "https")
    return f"{scheme}://{login}{parts.host}{port}{_shown_tail(parts.tail, parts.port, is_web=is_web)}"


def _shown_socket(rest: str) -> str:
    """A socket file's path; its name is chosen by machines, and no secret."""
    login, at, place = rest.rpartition("@")
    path, question_mark, query = place.partition("?")
    return f"{login and MASK}{at}{path}{_shown_tail(question_mark + query)}"


def _shown_tail(tail: str, port: str = "", *, is_web: bool = False) -> str:
    """Path, query and fragment."""
    before, hash_mark, fragment = tail.partition("#")
    path, question_mark, query = before.partition("?")
    pieces = re.split("([&;])", query)
    shown = "".join(_shown_parameter(piece) for piece in pieces)
    return f"{_shown_path(path, port, is_web=is_web)}{question_mark}{shown}{hash_mark}{fragment and MASK}"


def _shown_parameter(piece: str) -> str:
    name, assigned, _ = piece.partition("=")
    if piece in ("", "&", ";"):
        return piece
    is_name = assigned and _NAME.fullmatch(unquote(name)) and not looks_random(name)
    return f"{name if is_name else MASK}{assigned}{assigned and MASK}"


def _shown_path(path: str, port: str, *, is_web: bool) -> str:
    segments = path.split("/")
    hidden = {1} if port in KEY_PORTS else set()
    iptv = _IPTV.fullmatch(path) if is_web else None
    if iptv and (iptv["kind"] or not PATH_WORDS.fullmatch(iptv["user"])):
        hidden |= {len(segments) - 3, len(segments) - 2}  # the way IPTV servers take a login
    words = [plain_form(segment) for segment in segments]
    for number, (before, word) in enumerate(pairwise(words), 1):
        if not is_plain(word) or names_secret(word) or awaits_secret(before):
            hidden.add(number)
    return "/".join(MASK if number in hidden and part else part for number, part in enumerate(segments))


def _shown_file(path: str) -> str:
    """A file's path, but for what is no name of a file: `password=…`, `user:…@…`, a key, a URL mistyped."""
    if _SPOKEN.search(path) or _HALF_URL.search(path):
        return MASK

    def shown(segment: str) -> str:
        word = plain_form(segment)
        is_hidden = set(word) & set("=@?*") or (looks_random(word) and not _SUFFIX.search(word))
        return MASK if is_hidden else segment

    return "/".join(map(shown, path.split("/")))


def plain_form(text: str) -> str:
    """Without percent-encoding, however often it was encoded, and without wide colons and the like."""
    for _ in range(4 * ("%" in text)):
        text = unquote(text)
    return text if text.isascii() else unicodedata.normalize("NFKC", text)

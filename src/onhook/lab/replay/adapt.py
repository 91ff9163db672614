"""A recorded message made to fit the call of today: only what belongs to a dialog is written anew.

Via, From, To, Call-ID, CSeq, Contact, Route and Record-Route, addresses and ports of a session description,
and the length that follows from it. Every other byte stays, spelling and order of headers included.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from onhook.sip.headers import key_of

Replaced = Mapping[str, list[str]]
"""New values by lower-case header name: as many lines as there are values; none takes the header out."""

_URI = re.compile(r"(?P<scheme>sips?:)(?P<user>[^@>;,\s]*@)?(?P<where>\[[^\]]*\][^;>,\s]*|[^;>?,\s]+)")
_TRANSPORT = re.compile(r";transport=[A-Za-z]+", re.IGNORECASE)
_HELD = "0.0.0.0"  # noqa: S104  # compared with: a held stream (RFC 2543) stays held
_DROPPED = ("a=candidate", "a=ice-", "a=fingerprint", "a=setup", "a=remote-candidates", "a=end-of-candidates")


@dataclass(frozen=True, slots=True)
class SdpPlace:
    """Where the far end of today receives RTP; `crypto` are its own a=crypto lines."""

    host: str
    port: int
    crypto: tuple[str, ...] = ()


def adapt(data: bytes, replaced: Replaced, *, start_line: str = "", sdp: SdpPlace | None = None) -> bytes:
    """`data` with these headers; those that it does not have are put behind the first line if it wants them.

    Names of headers keep their spelling. `start_line` replaces the first line.
    """
    head, gap, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("utf-8", "surrogateescape").split("\r\n")
    if sdp is not None and body:
        body = place_sdp(body, sdp)
    values = {key: list(given) for key, given in replaced.items()}
    values["content-length"] = [str(len(body))]
    out = [start_line or first]
    done: set[str] = set()
    skipping = False
    for line in lines:
        if line[:1] in {" ", "\t"}:
            if not skipping:
                out.append(line)
            continue
        name, _, value = line.partition(":")
        key = key_of(name.strip())
        skipping = key in values
        if not skipping:
            out.append(line)
        elif key not in done:
            done.add(key)
            space = value[: len(value) - len(value.lstrip(" \t"))]
            out += [f"{name}:{space}{each}" for each in values[key]]
    missing = [
        f"{key.title()}: {value}"
        for key in values.keys() - done - {"content-length"}
        for value in values[key]
    ]
    out[1:1] = sorted(missing)
    return "\r\n".join(out).encode("utf-8", "surrogateescape") + gap + body


def place_uri(value: str, host: str, port: int, transport: str = "") -> str:
    """A URI, or a header's value with one, at another host and port; its user and display name stay."""
    there = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def moved(found: re.Match[str]) -> str:
        return f"{found['scheme']}{found['user'] or ''}{there}"

    placed = _URI.sub(moved, value, count=1)
    if not transport:
        return placed
    return _TRANSPORT.sub(f";transport={transport}", placed)


def place_sdp(body: bytes, place: SdpPlace) -> bytes:
    """A session description whose audio is received at `place`; a body of another kind stays as it is."""
    if not body.startswith(b"v=0"):
        return body
    kind = "IP6" if ":" in place.host else "IP4"
    crypto = list(place.crypto)
    out: list[str] = []
    for line in body.decode("utf-8", "surrogateescape").split("\r\n"):
        if line.startswith(_DROPPED):
            continue
        out.append(_sdp_line(line, place, kind, crypto))
    return "\r\n".join(out).encode("utf-8", "surrogateescape")


def _sdp_line(line: str, place: SdpPlace, kind: str, crypto: list[str]) -> str:
    words = line.split(" ")
    if line.startswith("o=") and len(words) == 6:
        return " ".join([*words[:4], kind, place.host])
    if line.startswith("c=IN ") and len(words) == 3 and words[2] != _HELD:
        return f"c=IN {kind} {place.host}"
    if line.startswith("m=audio ") and len(words) > 3 and words[1] != "0":
        return " ".join([words[0], str(place.port), *words[2:]])
    if line.startswith("a=rtcp:"):
        return f"a=rtcp:{place.port + 1}"
    if line.startswith("a=crypto:") and crypto:
        return crypto.pop(0)
    return line

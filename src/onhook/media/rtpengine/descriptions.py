"""Session descriptions as rtpengine is given and gives them back: one audio of one side of a leg.

What the far end agreed on is written as if it had offered it; rtpengine then writes what it offers us.
"""

from base64 import b64encode
from typing import Final, NamedTuple

from onhook.effects import Srtp, StartMedia
from onhook.sip.sdp import Unusable, parse_sdp

DIGITS: Final = "telephone-event"
ENCODINGS: Final = {
    "PCMU": "PCMU/8000",
    "PCMA": "PCMA/8000",
    "G722": "G722/8000",
    "opus": "opus/48000/1",
    DIGITS: f"{DIGITS}/8000",
}
"""a=rtpmap of what `StartMedia` names. G722 is 16 kHz and written so (RFC 3551 section 4.5.2). Opus is always
written with two channels (RFC 7587); rtpengine then spreads our one channel over two, 3 dB too low (seen with
10.5). These descriptions are for its eyes only, so it is told of one: Opus itself says which it is."""
PTIME_MS: Final = 20
_VOICES = {name.upper(): name for name in ENCODINGS if name != DIGITS}


class Format(NamedTuple):
    """A payload type and its encoding, as a=rtpmap has it."""

    payload_type: int
    encoding: str


class Described(NamedTuple):
    """What a description of rtpengine's says."""

    host: str
    port: int
    voices: tuple[tuple[int, str], ...]
    """Payload types with the names of `StartMedia`, in order; others are left out."""
    digits: int | None
    """Payload type of telephone events."""
    keys: tuple[tuple[str, str], ...]
    """SDES: suites with their keys in base64."""


def describe(
    host: str,
    port: int,
    formats: tuple[Format, ...],
    *,
    sends: bool = True,
    receives: bool = True,
    ptime_ms: int = PTIME_MS,
    crypto: tuple[str, bytes] | None = None,
) -> str:
    """One audio at `host` and `port`. `sends` and `receives` are seen by whom it describes."""
    family = "IP6" if ":" in host else "IP4"
    way = {(True, True): "sendrecv", (True, False): "sendonly", (False, True): "recvonly"}
    types = " ".join(str(each.payload_type) for each in formats)
    lines = [
        "v=0",
        f"o=- 1 1 IN {family} {host}",
        "s=-",
        f"c=IN {family} {host}",
        "t=0 0",
        f"m=audio {port} {'RTP/SAVP' if crypto else 'RTP/AVP'} {types}",
    ]
    for each in formats:
        lines.append(f"a=rtpmap:{each.payload_type} {each.encoding}")
        if each.encoding.startswith(DIGITS):
            lines.append(f"a=fmtp:{each.payload_type} 0-16")
    if crypto:
        lines.append(f"a=crypto:1 {crypto[0]} inline:{key_text(crypto[1])}")
    lines += [f"a=ptime:{ptime_ms}", f"a={way.get((sends, receives), 'inactive')}"]
    return "\r\n".join([*lines, ""])


def describe_far_end(effect: StartMedia, host: str) -> str:
    """The far end as `effect` has it; `host` is its address where the effect has a name."""
    key: Srtp | None = effect.srtp
    return describe(
        host,
        effect.port,
        _formats(effect),
        sends=effect.receiving,
        receives=effect.sending,
        ptime_ms=effect.ptime_ms,
        crypto=(key.suite, key.receive_key) if key else None,
    )


def digits_of(effect: StartMedia) -> int | None:
    """The payload type under which the far end takes digits, or else sends them."""
    if effect.telephone_event is not None:
        return effect.telephone_event
    return next((number for number, codec in effect.hears if codec == DIGITS), None)


def read(text: str) -> Described | Unusable:
    description = parse_sdp(text.encode("utf-8", "surrogateescape"))
    if isinstance(description, Unusable):
        return description
    audio = next((media for media in description.media if media.kind == "audio" and media.port), None)
    connection = description.connection_of(audio) if audio else None
    if audio is None or connection is None:
        return Unusable("it has no audio with a port and an address")
    voices = [(each.payload_type, _VOICES.get(each.name.upper(), "")) for each in audio.codecs]
    digits = (each.payload_type for each in audio.codecs if each.name.lower() == DIGITS)
    keys = (value.split() for value in audio.attributes("crypto"))
    return Described(
        connection.host,
        audio.port,
        tuple((number, name) for number, name in voices if name),
        next(digits, None),
        tuple((each[1], each[2].removeprefix("inline:").partition("|")[0]) for each in keys if len(each) > 2),
    )


def key_text(key: bytes) -> str:
    """A master key and salt as SDES writes them; rtpengine leaves the padding out."""
    return b64encode(key).decode().rstrip("=")


def _formats(effect: StartMedia) -> tuple[Format, ...]:
    """The agreed voice, and digits: with more voices rtpengine might choose another than was agreed."""
    formats = [Format(effect.payload_type, ENCODINGS[effect.codec])] if effect.codec in ENCODINGS else []
    digits = digits_of(effect)
    if digits is not None and digits != effect.payload_type:
        formats.append(Format(digits, f"{DIGITS}/{effect.event_clock}"))
    return tuple(formats)

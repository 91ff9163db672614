"""One leg at an rtpengine: RTP of the far end comes to its outer port, and goes on to our own engine.

A port is needed for our session description before the far end's is known, and whoever asks for one does
not wait. So a relay is reserved beforehand by an offer of ours that nobody has answered; that gives the
outer port. Once the far end's side is agreed on, rtpengine is told of it as of a re-INVITE from there: the
far end offers, we answer, and the outer port stays.

SRTP is rtpengine's, with the keys that our SIP side wrote into its description. An offer of ours with
that key comes first: rtpengine hands on the key it is offered, and keeps it when our side goes back to
plain RTP. Seen with 10.5; what it answers is compared with the key in any case.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, cast

from onhook.effects import StartMedia
from onhook.media.rtpengine.bencode import Dictionary, Value
from onhook.media.rtpengine.descriptions import (
    DIGITS,
    ENCODINGS,
    PTIME_MS,
    Described,
    Format,
    describe,
    describe_far_end,
    digits_of,
    key_text,
    read,
)
from onhook.media.rtpengine.ng import EngineRefused, NgClient
from onhook.sip.sdp import Unusable

INNER: Final = "inner"
"""Tag of our side; the far end's is OUTER."""
OUTER: Final = "outer"
DISCARD_PORT: Final = 9
_NOBODY: Final = ("127.0.0.1", DISCARD_PORT)
"""Where a reserved relay would send to (RFC 863)."""
_INNER_DIGITS: Final = 101


class Options(NamedTuple):
    """What is alike for all relays of a fleet."""

    interfaces: tuple[str, ...] = ()
    """Names of rtpengine's interfaces towards us and towards the far end; none: its first for both."""
    codecs: tuple[str, ...] = ("PCMU", "PCMA")
    """What is spoken between rtpengine and us; a far end's other codec is transcoded to the first."""


class Counts(NamedTuple):
    """What rtpengine counted of a leg. `errors` are packets of the far end that it could not use."""

    received: int
    errors: int
    remote: str
    """host:port that it sends to: learnt from what came, else as agreed."""


class Relay:
    """`name` is unique among all calls of that rtpengine. All methods raise EngineFailed."""

    def __init__(self, client: NgClient, name: str, options: Options) -> None:
        self.client, self.name, self._options = client, name, options
        self.outer = ("", 0)
        self.inner: tuple[str, int] = _NOBODY
        """Where our engine takes what comes, known from the engine's `open` on."""
        self._cuts = False
        """Packets of other lengths than ours were agreed on at some time."""

    async def reserve(self) -> None:
        """Get the outer port."""
        keys: dict[str, Value] = {}
        if self._options.interfaces:
            keys["direction"] = self._options.interfaces
        offered = await self._offer(self._ours(), keys)
        self.outer = offered.host, offered.port

    async def expect(self) -> None:
        """What comes before the far end is known (early media) goes to `inner` from now on."""
        self._keep_port(await self._offer(self._ours(), {}))

    async def connect(self, effect: StartMedia, host: str) -> StartMedia:
        """Relay between the far end, as `effect` has it, and our engine; gives what the engine shall do.

        Again for the same leg it replaces what was before. `host` is the address of the far end.
        """
        if effect.codec not in ENCODINGS:
            raise EngineRefused(self.client.address, f"it is not asked to speak {effect.codec}")
        if effect.srtp:
            crypto = (effect.srtp.suite, effect.srtp.send_key)
            self._keep_port(await self._offer(self._ours(crypto), {}))
        voice = effect.codec if effect.codec in self._options.codecs else self._options.codecs[0]
        offered = await self._far_end_offers(effect, host, voice)
        number = next((each for each, name in offered.voices if name == voice), None)
        if number is None:
            raise EngineRefused(self.client.address, f"it offers no {voice} for the far end's {effect.codec}")
        formats = [Format(number, ENCODINGS[voice])]
        if offered.digits is not None:
            formats.append(Format(offered.digits, ENCODINGS[DIGITS]))
        self._check(await self._we_answer(tuple(formats), effect), effect)
        return StartMedia(
            leg=effect.leg,
            host=offered.host,
            port=offered.port,
            payload_type=number,
            codec=voice,
            sending=effect.sending,
            receiving=effect.receiving,
            telephone_event=offered.digits if effect.telephone_event is not None else None,
            hears=self._heard(effect, formats),
        )

    def _heard(self, effect: StartMedia, formats: Iterable[Format]) -> tuple[tuple[int, str], ...]:
        """What comes to us: the agreed voice as it is here, and what else the far end sends, untouched."""
        heard = {each.payload_type: each.encoding.partition("/")[0] for each in formats}
        for number, codec in effect.hears:
            if codec not in {effect.codec, DIGITS}:
                heard.setdefault(number, codec)
        return tuple(heard.items())

    async def count(self) -> Counts:
        return _counts(await self.client.ask("query", {"call-id": self.name}))

    async def delete(self) -> None:
        await self.client.ask("delete", self._delete_keys)

    def abandon(self) -> None:
        """Delete without waiting for the answer."""
        self.client.tell("delete", self._delete_keys)

    @property
    def _delete_keys(self) -> Mapping[str, Value]:
        return {"call-id": self.name, "from-tag": INNER, "delete delay": 0}

    def _ours(self, crypto: tuple[str, bytes] | None = None) -> str:
        formats = (Format(0, ENCODINGS["PCMU"]), Format(_INNER_DIGITS, ENCODINGS[DIGITS]))
        return describe(*self.inner, formats, crypto=crypto)

    async def _offer(self, sdp: str, keys: Mapping[str, Value]) -> Described:
        return await self._exchange("offer", {"from-tag": INNER, "sdp": sdp, **keys})

    async def _far_end_offers(self, effect: StartMedia, host: str, voice: str) -> Described:
        wanted = [voice] if digits_of(effect) is None else [voice, DIGITS]
        keys: dict[str, Value] = {
            "from-tag": OUTER,
            "to-tag": INNER,
            "label": effect.leg,
            "sdp": describe_far_end(effect, host),
            "transport protocol": "RTP/AVP",
            "codec": {"mask": ["all"], "transcode": wanted},
        }
        self._cuts = self._cuts or effect.ptime_ms != PTIME_MS
        if self._cuts:  # said once, it stays until it is said anew
            keys |= {"ptime": PTIME_MS, "ptime-reverse": effect.ptime_ms}
        return await self._exchange("offer", keys)

    async def _we_answer(self, formats: tuple[Format, ...], effect: StartMedia) -> Described:
        sdp = describe(*self.inner, formats, sends=effect.sending, receives=effect.receiving)
        return await self._exchange("answer", {"from-tag": OUTER, "to-tag": INNER, "sdp": sdp})

    async def _exchange(self, command: str, keys: Mapping[str, Value]) -> Described:
        common: dict[str, Value] = {
            "call-id": self.name,
            "ICE": "remove",
            "DTLS": "off",
            "flags": ["port latching", "strict source"],
            "replace": ["origin", "session connection"],
        }
        answer = await self.client.ask(command, common | dict(keys))
        described = read(str(answer.get("sdp", "")))
        if isinstance(described, Unusable):
            raise EngineRefused(self.client.address, f"its description after {command}: {described}")
        return described

    def _check(self, answered: Described, effect: StartMedia) -> None:
        """What rtpengine tells the far end has to be what our SIP side told it."""
        self._keep_port(answered)
        if effect.codec not in {name for _, name in answered.voices}:
            raise EngineRefused(self.client.address, f"it does not speak {effect.codec} with the far end")
        if effect.srtp and (effect.srtp.suite, key_text(effect.srtp.send_key)) not in answered.keys:
            raise EngineRefused(self.client.address, f"it took no key of ours for {effect.srtp.suite}")

    def _keep_port(self, described: Described) -> None:
        if (described.host, described.port) != self.outer:
            moved = f"it moved the port of a leg from {self.outer} to {(described.host, described.port)}"
            raise EngineRefused(self.client.address, moved)


def _counts(answer: Dictionary) -> Counts:
    """From the answer to query, of which only the RTP stream of the far end counts."""
    try:
        outer = cast("Any", answer)["tags"][OUTER]
        stream = outer["medias"][0]["streams"][0]
        stats, there = stream["stats"], stream["endpoint"]
        host = f"[{there['address']}]" if ":" in there["address"] else there["address"]
        return Counts(int(stats["packets"]), int(stats["errors"]), f"{host}:{there['port']}")
    except (KeyError, IndexError, TypeError, ValueError):
        return Counts(0, 0, "")

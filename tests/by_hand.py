"""An engine whose ticks a test drives, and telephones that talk to it over real sockets: nothing waits.

A second of sound takes as long as fifty ticks take to be computed. Telephones send one packet a tick and
decode what they get.
"""

import os
import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onhook.effects import Mix, StartMedia, Voice
from onhook.facts import Fact
from onhook.media.engine.codecs import make_decoder, make_encoder
from onhook.media.engine.embedded import EmbeddedEngine
from onhook.media.engine.rooms import GROUPS
from onhook.media.engine.rows import A_LAW, G722, MU_LAW, OPUS
from onhook.media.settings import MediaSettings

FIRST = 13_061 + os.getpid() % 60 * 160
SETTINGS = MediaSettings(first_port=FIRST, last_port=FIRST + 98)
TYPES = {"PCMU": 0, "PCMA": 8, "G722": 9, "opus": 107}
KINDS = {"PCMU": MU_LAW, "PCMA": A_LAW, "G722": G722, "opus": OPUS}
EVENTS = 101
Sound = NDArray[np.int16]


def tone(hertz: float, seconds: float, level: float = 8000.0, rate: int = 8000) -> Sound:
    """A sine of amplitude `level`."""
    return np.rint(level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(
        np.int16
    )


def amplitude(sound: NDArray[Any], hertz: float, rate: int = 8000) -> float:
    """Of the sine of that frequency in it."""
    window = np.hanning(len(sound))
    turns = np.exp(-2j * np.pi * hertz * np.arange(len(sound)) / rate)
    return float(2 * abs((sound * window * turns).sum()) / window.sum())


def impurity_db(sound: NDArray[Any], hertz: Iterable[float], rate: int = 8000) -> float:
    """Everything but these tones, against them: a gap or a click of 10 ms in a second is about -20 dB."""
    spectrum = np.abs(np.fft.rfft(sound * np.blackman(len(sound)))) ** 2
    wanted = np.zeros(len(spectrum), np.bool_)
    for each in hertz:
        middle = round(each * len(sound) / rate)
        wanted[max(0, middle - 4) : middle + 5] = True
    return float(10 * np.log10(spectrum[~wanted].sum() / spectrum[wanted].sum()))


@dataclass
class Packet:
    marker: bool
    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes

    @classmethod
    def read(cls, data: bytes) -> "Packet":
        first, second, sequence, timestamp, ssrc = struct.unpack_from("!BBHII", data)
        assert first == 0x80
        return cls(second >= 0x80, second & 0x7F, sequence, timestamp, ssrc, data[12:])


@dataclass
class Phone:
    """A telephone. It says `voice`, over and over; what it hears is in `packets`."""

    name: str
    to: tuple[str, int]
    codec: str = "PCMU"
    voice: Sound = field(default_factory=lambda: np.zeros(160, np.int16))
    lose: Callable[[int], bool] = lambda _: False
    """Whether the packet of that number is lost on its way to us."""
    delay: Callable[[int], float] = lambda _: 0.0
    """Ticks that the packet of that number is under way."""
    frame: int = 160
    """Samples of a packet."""
    drift: float = 0.0
    """By how much its clock is faster than ours: 1e-4 is 100 ppm."""
    talks: bool = True
    packets: list[Packet] = field(default_factory=list[Packet])
    sent: int = 0
    ticks: int = 0
    elapsed: float = 0.0
    underway: list[tuple[float, bytes]] = field(default_factory=list[tuple[float, bytes]])
    ssrc: int = 0x1000
    sequence: int = 65_500
    timestamp: int = 0xFFFFF000

    def __post_init__(self) -> None:
        kind = KINDS[self.codec]
        encoder, decoder = make_encoder(kind, self.frame // 8), make_decoder(kind)
        assert encoder
        assert decoder
        self.encoder, self.decoder = encoder, decoder
        self.rate = encoder.rate
        """Of its voice, and of what it hears."""
        self._decoded, self._heard = 0, list[Sound]()
        self.clock = 48_000 if self.codec == "opus" else 8000
        self.socket = socket.socket(
            socket.AF_INET6 if ":" in self.to[0] else socket.AF_INET, socket.SOCK_DGRAM
        )
        self.socket.settimeout(0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.bind((self.to[0], 0))
        self.host, self.port = self.socket.getsockname()[:2]

    def speak(self) -> None:
        """Let 20 ms pass."""
        self.ticks += 1
        arriving = [data for due, data in self.underway if due <= self.ticks]
        self.underway = [(due, data) for due, data in self.underway if due > self.ticks]
        for data in arriving:
            self.socket.sendto(data, self.to)
        self.elapsed += 160 * (1 + self.drift)
        while (self.sent + 1) * self.frame <= self.elapsed + 1e-6:
            if self.talks:
                self.send(self.encoded(self.sent * self.frame), TYPES[self.codec])
            self.sequence = (self.sequence + self.talks) & 0xFFFF
            self.timestamp = (self.timestamp + self.frame * self.clock // 8000) & 0xFFFFFFFF
            self.sent += 1

    def encoded(self, place: int) -> bytes:
        """A packet of the voice from there."""
        scale = self.rate // 8000
        places = (place * scale + np.arange(self.frame * scale)) % len(self.voice)
        return self.encoder.encode(self.voice[places])

    def send(self, payload: bytes, payload_type: int, *, marker: bool = False, timestamp: int = -1) -> None:
        if self.lose(self.sent):
            return
        at = self.timestamp if timestamp < 0 else timestamp
        second = payload_type | (0x80 if marker else 0)
        header = struct.pack("!BBHII", 0x80, second, self.sequence, at, self.ssrc)
        if late := self.delay(self.sent):
            self.underway.append((self.ticks + late, header + payload))
        else:
            self.socket.sendto(header + payload, self.to)

    def listen(self) -> None:
        while True:
            try:
                self.packets.append(Packet.read(self.socket.recv(2048)))
            except BlockingIOError:
                return

    def heard(self, skip: int = 0) -> Sound:
        """What came as voice, one packet behind the other, without the first `skip` packets."""
        kind = TYPES[self.codec]
        new = self.packets[self._decoded :]
        self._decoded += len(new)
        self._heard += [self.decoder.decode(each.payload) for each in new if each.payload_type == kind]
        return np.concatenate(self._heard[skip:]) if self._heard[skip:] else np.zeros(0, np.int16)


class ByHand:
    """The engine and its telephones. `run` lets time pass."""

    def __init__(self, settings: MediaSettings = SETTINGS, **how: Any) -> None:
        self.engine = EmbeddedEngine(settings, by_hand=True, now=lambda: self.now, **how)
        self.now, self.number = 1e9, 0
        self.phones: dict[str, Phone] = {}
        self.facts: list[tuple[str, Fact]] = []
        self.engine.on_fact(lambda owner, fact: self.facts.append((owner, fact)))

    def phone(self, name: str, *, codec: str = "PCMU", started: bool = True, **how: Any) -> Phone:
        """A leg with a telephone at its far end."""
        phone = self.phones[name] = Phone(name, self.engine.open(name), codec, **how)
        if started:
            self.start(phone)
        return phone

    def start(self, phone: Phone, **how: Any) -> None:
        agreed: dict[str, Any] = {
            "leg": phone.name,
            "host": phone.host,
            "port": phone.port,
            "payload_type": TYPES[phone.codec],
            "codec": phone.codec,
            "telephone_event": EVENTS,
            "hears": (
                *((kind, name) for name, kind in TYPES.items()),
                (EVENTS, "telephone-event"),
                (13, "CN"),
            ),
        }
        self.engine.start(StartMedia(**(agreed | how)))

    def room(self, name: str, *voices: Voice | str) -> None:
        legs = tuple(Voice(each) if isinstance(each, str) else each for each in voices)
        self.engine.mix(Mix(name, legs))

    def run(self, seconds: float = 0.02) -> None:
        for _ in range(round(seconds * 50)):
            for phone in self.phones.values():
                phone.speak()
            for group in range(GROUPS):
                self.engine.tick(group, self.number, self.now + group * 0.02 / GROUPS)
            for phone in self.phones.values():
                phone.listen()
            self.number += 1
            self.now += 0.02

    def told(self, kind: type[Any]) -> list[Any]:
        """Facts of that kind."""
        return [fact for _, fact in self.facts if isinstance(fact, kind)]

    def close(self) -> None:
        self.engine.stop()
        for phone in self.phones.values():
            phone.socket.close()


@contextmanager
def by_hand(settings: MediaSettings = SETTINGS, **how: Any) -> Iterator[ByHand]:
    hand = ByHand(settings, **how)
    try:
        yield hand
    finally:
        hand.close()

"""SRTP of legs that agreed on it: both suites, and what the keys do not open."""

import struct
from typing import Any

import numpy as np
import pytest
from pylibsrtp import Policy, Session

from by_hand import ByHand, Packet, Phone, amplitude, by_hand, tone
from onhook.effects import SendDigits, Srtp
from onhook.facts import DigitHeard
from onhook.media.engine.srtp import SUITES, Secrecy

OURS, THEIRS, OTHERS = bytes(range(30)), bytes(range(100, 130)), bytes(30)


class SecretPhone(Phone):
    """Encrypts what it says, and keeps what it cannot decrypt in `unread`."""

    def prepare(self, suite: str, *, sends: bytes = THEIRS, receives: bytes = OURS) -> None:
        profile = SUITES[suite]
        self.out = Session(Policy(sends, Policy.SSRC_ANY_OUTBOUND, srtp_profile=profile))
        self.into = Session(Policy(receives, Policy.SSRC_ANY_INBOUND, srtp_profile=profile))
        self.tag = 10 if suite.endswith("80") else 4
        self.wire: list[bytes] = []
        plain = self.socket

        class Encrypting:
            def sendto(_, data: bytes, to: Any) -> None:  # noqa: N805  # the telephone is self
                self.wire.append(self.out.protect(data))
                plain.sendto(self.wire[-1], to)

        self.plain, self.socket = plain, Encrypting()  # type: ignore[assignment]  # its half that is used

    def listen(self) -> None:
        while True:
            try:
                data = self.plain.recv(2048)
            except BlockingIOError:
                return
            self.packets.append(Packet.read(self.into.unprotect(data)))
            assert len(data) == 12 + len(self.packets[-1].payload) + self.tag


def secret(hand: ByHand, name: str, suite: str, **how: Any) -> SecretPhone:
    phone = SecretPhone(name, hand.engine.open(name), **how)
    hand.phones[name] = phone
    phone.prepare(suite)
    hand.start(phone, srtp=Srtp(suite, OURS, THEIRS))
    return phone


def close(hand: ByHand) -> None:
    for phone in hand.phones.values():
        if isinstance(phone, SecretPhone):
            phone.socket = phone.plain


@pytest.mark.parametrize("suite", list(SUITES))
def test_voice_and_digits_go_both_ways(suite: str) -> None:
    with by_hand() as hand:
        one = secret(hand, "one", suite, voice=tone(440, 1))
        two = secret(hand, "two", suite, voice=tone(1000, 1))
        hand.room("room", "one", "two")
        hand.run(1.5)
        assert amplitude(one.heard()[-8000:], 1000) == pytest.approx(8000, rel=0.03)
        assert amplitude(two.heard()[-8000:], 440) == pytest.approx(8000, rel=0.03)
        hand.engine.send_digits(SendDigits("action", "room", "one", "7"))
        hand.run(0.4)
        assert {packet.payload[0] for packet in one.packets if packet.payload_type == 101} == {7}
        two.talks = False
        for number in range(3):
            two.sequence += 1
            two.send(struct.pack("!BBH", 3, 0x8A, 800), 101, marker=number == 0, timestamp=4000)
        hand.run()
        assert [fact.digit for fact in hand.told(DigitHeard)] == ["3"]
        measured = hand.engine.close("one")
        assert measured.received >= 94
        assert (measured.undecipherable, measured.junk, measured.lost) == (0, 0, 0)
        close(hand)


def test_a_secret_leg_and_a_plain_one_hear_each_other() -> None:
    with by_hand() as hand:
        one = secret(hand, "one", "AES_CM_128_HMAC_SHA1_80", voice=tone(440, 1))
        two = hand.phone("two", voice=tone(1000, 1))
        hand.room("room", "one", "two")
        hand.run(1.5)
        assert amplitude(one.heard()[-8000:], 1000) == pytest.approx(8000, rel=0.03)
        assert amplitude(two.heard()[-8000:], 440) == pytest.approx(8000, rel=0.03)
        close(hand)


def test_rtp_in_clear_and_under_other_keys_is_dropped_and_counted_and_not_latched_to() -> None:
    with by_hand() as hand:
        phone = secret(hand, "one", "AES_CM_128_HMAC_SHA1_80", voice=tone(440, 1))
        strange = Session(Policy(OTHERS, Policy.SSRC_ANY_OUTBOUND))
        intruder = hand.phone("intruder", started=False, talks=False)
        for number in range(10):
            packet = struct.pack("!BBHII", 0x80, 0, number, number * 160, 7) + bytes(160)
            intruder.socket.sendto(packet if number % 2 else strange.protect(packet), phone.to)
            hand.run(0.02)
        hand.run(0.5)
        measured = hand.engine.close("one")
        assert measured.undecipherable + measured.foreign == 10
        assert measured.undecipherable >= 1
        assert measured.received >= 34
        assert len(intruder.packets) == 0
        close(hand)


def test_replayed_packets_are_doubled_ones() -> None:
    with by_hand() as hand:
        phone = secret(hand, "one", "AES_CM_128_HMAC_SHA1_80")
        hand.run(0.5)
        for data in phone.wire[5:15]:
            phone.plain.sendto(data, phone.to)
            hand.run(0.02)
        measured = hand.engine.close("one")
        assert measured.doubled == 10
        assert measured.undecipherable == 0
        close(hand)


def test_said_again_with_the_same_keys_the_stream_goes_on_and_with_others_it_begins_anew() -> None:
    suite = "AES_CM_128_HMAC_SHA1_80"
    with by_hand() as hand:
        phone = secret(hand, "one", suite)
        hand.run(0.3)
        hand.start(phone, srtp=Srtp(suite, OURS, THEIRS))
        for data in phone.wire[5:10]:
            phone.plain.sendto(data, phone.to)
        hand.run(0.3)
        assert hand.engine.rows.doubled.sum() == 5  # it still knows them
        hand.start(phone, srtp=Srtp(suite, OTHERS, THEIRS))
        phone.into = Session(Policy(OTHERS, Policy.SSRC_ANY_INBOUND))
        hand.run(0.3)
        hand.start(phone)  # and in clear
        phone.socket = phone.plain
        phone.listen = lambda: Phone.listen(phone)  # type: ignore[method-assign]  # as a plain telephone
        before = hand.engine.rows.received.sum()
        hand.run(0.3)
        assert hand.engine.rows.received.sum() - before >= 14
        assert phone.packets[-1].payload == b"\xff" * 160


def test_the_sequence_number_may_wrap() -> None:
    with by_hand() as hand:
        phone = secret(hand, "one", "AES_CM_128_HMAC_SHA1_80", voice=tone(440, 1))
        hand.engine.rows.sequence[0] = 65_530
        hand.run(1)  # the telephone itself begins at 65,500
        assert len(phone.packets) == 50
        assert phone.packets[-1].sequence < 100
        assert hand.engine.close("one").undecipherable == 0
        close(hand)


@pytest.mark.parametrize(
    ("agreed", "said"),
    [
        (Srtp("AEAD_AES_128_GCM", OURS, THEIRS), "AEAD_AES_128_GCM"),
        (Srtp("AES_CM_128_HMAC_SHA1_80", b"short", THEIRS), "30 bytes, not 5"),
    ],
)
def test_what_it_cannot_do_it_says(agreed: Srtp, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Secrecy(agreed)


def test_a_packet_encrypted_in_place_is_what_pylibsrtp_makes_of_it() -> None:
    from onhook.media.engine.srtp import Lengths, protect  # noqa: PLC0415  # looked into

    packet = struct.pack("!BBHII", 0x80, 0, 1, 160, 7) + bytes(range(160))
    memory = np.zeros(256, np.uint8)
    memory[: len(packet)] = np.frombuffer(packet, np.uint8)
    lengths = Lengths(1)
    lengths.values[0] = len(packet)
    secrecy = Secrecy(Srtp("AES_CM_128_HMAC_SHA1_80", OURS, THEIRS))
    assert protect([secrecy], [memory.ctypes.data], lengths) == [0]
    assert lengths.values[0] == len(packet) + 10
    expected = Session(Policy(OURS, Policy.SSRC_ANY_OUTBOUND)).protect(packet)
    assert memory[: lengths.values[0]].tobytes() == expected

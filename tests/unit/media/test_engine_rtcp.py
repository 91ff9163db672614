"""RTCP between the engine and telephones: what each tells the other of what came."""

import random
import socket
import struct

import pytest
from pylibsrtp import Policy, Session

from by_hand import ByHand, Phone, by_hand, tone
from onhook.effects import Srtp
from onhook.facts import MediaMeasured
from onhook.media.engine import rtcp
from onhook.media.engine.quality import mos, rating

OURS, THEIRS = bytes(range(30)), bytes(range(100, 130))


class Reporter:
    """The RTCP side of a telephone."""

    def __init__(self, hand: ByHand, name: str, **how: object) -> None:
        """Its RTP and RTCP ports are neighbours, as RFC 3550 wants it."""
        self.hand = hand
        self.phone: Phone = hand.phone(name, started=False, voice=tone(400, 1), **how)  # type: ignore[arg-type]  # options of phone
        self.control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.control.settimeout(0)
        while True:
            try:
                self.control.bind(("127.0.0.1", self.phone.port + 1))
            except (OSError, OverflowError):
                self.phone.socket.close()
                self.phone.__post_init__()
                continue
            break
        hand.start(self.phone)
        self.to = (self.phone.to[0], self.phone.to[1] + 1)

    def reports(self) -> list[rtcp.Report]:
        """What came since last asked."""
        found: list[rtcp.Report] = []
        while True:
            try:
                report = rtcp.read(self.control.recv(2048))
            except BlockingIOError:
                return found
            assert report is not None
            found.append(report)

    def say(self, data: bytes) -> None:
        self.control.sendto(data, self.to)
        self.hand.run(0.5)  # it is read within that time

    def close(self) -> MediaMeasured:
        return self.hand.engine.close(self.phone.name)


def test_reports_come_every_five_seconds_or_so_and_say_what_came() -> None:
    with by_hand() as hand:
        drawn = random.Random(5)
        one = Reporter(hand, "one", lose=lambda _: drawn.random() < 0.1)
        hand.run(60)
        reports = one.reports()
        assert 7 <= len(reports) <= 25
        ours = {packet.ssrc for packet in one.phone.packets}
        assert {report.ssrc for report in reports} == ours
        last = reports[-1]
        assert last.sender
        assert last.sender.packets == pytest.approx(len(one.phone.packets), abs=600)
        assert last.sender.octets == last.sender.packets * 160
        assert last.sender.ntp_seconds == pytest.approx(hand.now + rtcp.NTP_OFFSET, abs=12)
        (block,) = last.blocks
        assert block.ssrc == one.phone.ssrc
        assert block.lost == pytest.approx(block.highest - 65_500 - last.sender.packets * 0.9, abs=60)
        losses = [report.blocks[0].fraction_lost / 256 for report in reports]
        assert sum(losses) / len(losses) == pytest.approx(0.1, abs=0.04)
        one.control.close()


def test_the_name_says_nothing_of_the_machine_and_is_one_for_all_reports() -> None:
    with by_hand() as hand:
        one, two = Reporter(hand, "one"), Reporter(hand, "two")
        hand.run(10)
        names = set()
        for each in (one, two):
            data = each.control.recv(2048)
            start = data.index(b"@onhook")
            names.add(data[start - 16 : start])
            each.control.close()
        assert len(names) == 1
        assert socket.gethostname().encode() not in names.pop()


def test_closing_says_goodbye() -> None:
    with by_hand() as hand:
        one = Reporter(hand, "one")
        hand.run(1)
        one.reports()
        one.close()
        (last,) = one.reports()
        assert last.bye
        assert last.sender
        one.control.close()


def test_a_leg_that_never_sent_says_nothing() -> None:
    with by_hand() as hand:
        one = Reporter(hand, "one", talks=False)
        hand.start(one.phone, sending=False)
        hand.run(10)
        one.close()
        assert one.reports() == []
        one.control.close()


def test_what_the_far_end_reports_is_measured() -> None:
    with by_hand() as hand:
        one = Reporter(hand, "one")
        hand.run(6)
        ours = one.reports()[-1]
        assert ours.sender
        held_seconds = hand.now - (ours.sender.ntp_seconds - rtcp.NTP_OFFSET) - 0.040
        block = rtcp.Block(ours.ssrc, 25, 17, 4711, 80, ours.middle, round(held_seconds * 65_536))
        one.say(rtcp.written(one.phone.ssrc, "x", block=block))
        measured = one.close()
        assert (measured.far_lost, measured.far_jitter_ms) == (17, 10.0)
        assert measured.round_trip_ms is not None
        assert (
            20 <= measured.round_trip_ms <= 540
        )  # 40 ms, and until it was read: by hand there is no kernel's time
        one.control.close()


def test_reports_of_others_streams_change_nothing() -> None:
    with by_hand() as hand:
        one = Reporter(hand, "one")
        hand.run(1)
        one.say(rtcp.written(one.phone.ssrc, "x", block=rtcp.Block(0xABCD, 25, 17, 4711, 80, 1, 1)))
        measured = one.close()
        assert (measured.far_lost, measured.far_jitter_ms, measured.round_trip_ms) == (None, None, None)
        one.control.close()


def test_a_sender_report_is_answered_with_the_time_since() -> None:
    with by_hand() as hand:
        one = Reporter(hand, "one")
        hand.run(1)
        one.say(rtcp.written(one.phone.ssrc, "x", sender=rtcp.Sender(0x1234_5678 + 0.5, 0, 10, 1600)))
        hand.run(8)
        (block,) = one.reports()[-1].blocks
        assert block.last_report == 0x5678_8000
        assert 0 < block.since_report / 65_536 < 9
        one.control.close()


def test_goodbye_of_the_far_end_makes_silence_and_no_loss() -> None:
    with by_hand() as hand:
        one = Reporter(hand, "one")
        hand.run(1)
        one.phone.talks = False
        one.say(rtcp.written(one.phone.ssrc, "x", bye=True))
        assert one.close().lost == 0
        one.control.close()


def test_rtcp_on_the_port_of_rtp_is_taken_and_answered_there() -> None:
    with by_hand() as hand:
        one = Reporter(hand, "one")
        hand.run(1)
        one.phone.socket.sendto(
            rtcp.written(one.phone.ssrc, "x", sender=rtcp.Sender(100.5, 0, 10, 1600)), one.phone.to
        )
        one.phone.listen = lambda: None  # type: ignore[method-assign]  # read here
        hand.run(10)
        found = []
        while True:
            try:
                data = one.phone.socket.recv(2048)
            except BlockingIOError:
                break
            if 192 <= data[1] <= 223:
                found.append(rtcp.read(data))
        assert found
        assert all(report and report.sender for report in found)
        assert one.close().junk == 0
        one.control.close()


def test_rtcp_of_strangers_is_foreign_and_what_is_none_is_junk() -> None:
    with by_hand() as hand:
        one = Reporter(hand, "one")
        hand.run(1)
        one.say(b"no RTCP at all")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind(("127.0.0.9", 0))
            stranger.sendto(rtcp.written(1, "x", bye=True), one.to)
            hand.run(0.5)
        measured = one.close()
        assert (measured.junk, measured.foreign) == (1, 1)
        one.control.close()


def test_srtcp() -> None:
    with by_hand() as hand:
        one = Reporter(hand, "one", talks=False)
        suite = "AES_CM_128_HMAC_SHA1_80"
        hand.start(one.phone, srtp=Srtp(suite, OURS, THEIRS))
        hand.run(6)
        into = Session(Policy(OURS, Policy.SSRC_ANY_INBOUND))
        out = Session(Policy(THEIRS, Policy.SSRC_ANY_OUTBOUND))
        report = rtcp.read(into.unprotect_rtcp(one.control.recv(2048)))
        assert report
        assert report.sender
        block = rtcp.Block(report.ssrc, 0, 3, 4711, 0, 0, 0)
        one.say(out.protect_rtcp(rtcp.written(one.phone.ssrc, "x", block=block)))
        one.say(rtcp.written(one.phone.ssrc, "x", block=block._replace(lost=99)))  # in clear
        measured = one.close()
        assert (measured.far_lost, measured.undecipherable) == (3, 1)
        one.control.close()


def test_stun_at_the_port_of_srtcp_is_junk_and_no_word_under_another_key() -> None:
    with by_hand() as hand:
        one = Reporter(hand, "one", talks=False)
        hand.start(one.phone, srtp=Srtp("AES_CM_128_HMAC_SHA1_80", OURS, THEIRS))
        one.say(b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12))
        measured = one.close()
        assert (measured.junk, measured.undecipherable) == (1, 0)
        one.control.close()


# packets by themselves


def test_what_is_written_can_be_read() -> None:
    sender = rtcp.Sender(3_900_000_000.25, 160, 7, 1120)
    block = rtcp.Block(0xDEADBEEF, 255, -5, 0x10002, 77, 0x11112222, 65_536)
    report = rtcp.read(rtcp.written(42, "name", sender=sender, block=block, bye=True))
    middle = (3_900_000_000 & 0xFFFF) << 16 | 0x4000
    assert report == rtcp.Report(42, sender, middle, (block,), bye=True)
    assert rtcp.middle_of(sender.ntp_seconds) == middle
    assert rtcp.read(rtcp.written(42, "name")) == rtcp.Report(42)


@pytest.mark.parametrize("name", ["", "a", "abc", "abcdefgh", "x" * 300])
def test_packets_are_whole_words(name: str) -> None:
    data = rtcp.written(1, name)
    assert len(data) % 4 == 0
    assert data[1] == rtcp.RECEIVER_REPORT


@pytest.mark.parametrize(
    "data", [b"", b"\x80", bytes(8), b"\x80\xc8\xff\xff" + bytes(8), b"\x40\xc8\x00\x01" + bytes(4)]
)
def test_what_is_none_is_not_read(data: bytes) -> None:
    assert rtcp.read(data) is None


def test_a_packet_that_breaks_off_is_read_up_to_there() -> None:
    whole = rtcp.written(42, "name", sender=rtcp.Sender(1.0, 2, 3, 4), bye=True)
    assert rtcp.read(whole[:-4]) == rtcp.read(rtcp.written(42, "name", sender=rtcp.Sender(1.0, 2, 3, 4)))
    for length in range(len(whole)):
        rtcp.read(whole[:length])
    broken = struct.pack("!BBHI", 0x9F, 200, 1, 42)  # 31 blocks promised, and none there
    assert rtcp.read(broken) == rtcp.Report(42)


# the E-model


def test_without_loss_and_delay_it_is_the_best_of_telephony() -> None:
    assert rating("PCMU", 0, 0) == pytest.approx(93.2)
    assert mos(93.2) == pytest.approx(4.41, abs=0.01)  # ITU-T G.107, table B.1


@pytest.mark.parametrize(("r", "score"), [(90, 4.34), (80, 4.03), (70, 3.60), (60, 3.10), (50, 2.58)])
def test_scores_are_those_of_the_table(r: float, score: float) -> None:
    assert mos(r) == pytest.approx(score, abs=0.01)  # G.107, table B.1


def test_loss_and_delay_make_it_worse_and_a_poorer_codec_too() -> None:
    assert rating("PCMA", 0.05, 0) == pytest.approx(93.2 - 95 * 5 / (5 + 25.1))
    assert rating("PCMU", 0, 100) == pytest.approx(93.2 - 2.4)
    assert rating("PCMU", 0, 400) == pytest.approx(93.2 - 9.6 - 0.11 * 222.7)
    assert rating("G729", 0, 0) < rating("PCMU", 0, 0)
    assert rating("PCMU", 1, 10_000) == 0
    assert (mos(-3), mos(0), mos(6)) == (1.0, 1.0, 1.0)
    assert mos(1000) == 4.5


def test_a_clean_leg_has_a_good_score_and_a_lossy_one_a_bad_one() -> None:
    with by_hand() as hand:
        drawn = random.Random(5)
        hand.phone("clean", voice=tone(400, 1))
        hand.phone("lossy", voice=tone(400, 1), lose=lambda _: drawn.random() < 0.1)
        hand.phone("mute", talks=False)
        hand.run(10)
        clean, lossy, mute = (hand.engine.close(name).mos for name in ("clean", "lossy", "mute"))
        assert clean is not None
        assert lossy is not None
        assert 4.3 <= clean <= 4.41
        assert 2.5 <= lossy <= 3.7
        assert mute is None

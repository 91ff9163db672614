"""The carrier's sound, over real RTP: what it plays, what it hears, and every way to be misunderstood."""

import numpy as np
import pytest

from near_end import LEG, ROOM, NearEnd, delay_ms, framed, in_call, loud, pitch
from onhook.effects import SendDigits
from onhook.lab.audio_steps import SendRtp
from onhook.lab.kept_sound import TONE_DBOV, KeptSound, level_dbov, sine
from onhook.media.parts import Clip, Frame
from onhook.sip.terms import Terms

UP = "carrier: 180 Ringing\ncarrier: 200 OK\n"
WITHIN_DB = 1.0
MOST_DELAY_MS = 200.0
"""A jitter buffer and some beats of 20 ms."""


def play(near: NearEnd, clip: Clip) -> None:
    near.engine.feed(ROOM, (LEG,), started=lambda: None, ended=lambda _: None).add(clip)


def has_no_gap(heard: Clip) -> bool:
    """Between begin and end of a sound that keeps its level, does every 20 ms have it?"""
    levels = [level_dbov(frame) for frame in framed(Clip(loud(heard), heard.rate))[1:-1]]
    return max(levels) - min(levels) < 2 * WITHIN_DB


async def test_a_tone_is_heard_at_its_level_and_pitch_without_a_gap() -> None:
    async with in_call(f"{UP}carrier: tone 440 Hz 2 s\n") as near:
        await near.run(3.5)
        heard = near.kept.clip()
        tone = loud(heard)
        assert len(tone) / heard.rate == pytest.approx(2.0, abs=0.06)
        assert level_dbov(tone) == pytest.approx(TONE_DBOV, abs=WITHIN_DB)
        assert pitch(tone, heard.rate) == pytest.approx(440, abs=2)
        assert has_no_gap(heard)


async def test_what_we_play_is_what_the_carrier_hears() -> None:
    async with in_call(UP) as near:
        await near.until(lambda: len(near.carrier.heard(near.call).samples) > 0)
        began = near.carrier.heard(near.call)
        sweep = Clip(
            np.concatenate([sine(hertz, 0.5, began.rate).samples for hertz in (400, 900, 1700)]), began.rate
        )
        before = len(began.samples)
        play(near, sweep)
        await near.run(2.5)
        heard = near.carrier.heard(near.call)
        rest = Clip(heard.samples[before:], heard.rate)
        sound = loud(rest)
        assert len(sound) / heard.rate == pytest.approx(1.5, abs=0.06)
        assert level_dbov(sound) == pytest.approx(level_dbov(sweep.samples), abs=WITHIN_DB)
        assert 0 < delay_ms(sweep, rest) < MOST_DELAY_MS


async def test_echo_sends_back_what_comes() -> None:
    async with in_call(f"{UP}carrier: echo\n") as near:
        await near.run(0.3)
        tone = sine(1000, 1.0, 8000)
        play(near, tone)
        await near.run(2.2)
        back = loud(near.kept.clip())
        assert len(back) / near.kept.clip().rate == pytest.approx(1.0, abs=0.1)
        assert level_dbov(back) == pytest.approx(level_dbov(tone.samples), abs=WITHIN_DB)
        assert pitch(back, near.kept.clip().rate) == pytest.approx(1000, abs=3)


async def test_keys_are_pressed_and_heard_one_by_one() -> None:
    async with in_call(f"{UP}carrier: digits 0123456789*#ABCD\n") as near:
        await near.until(lambda: len(near.digits) >= 16)
        assert near.digits == "0123456789*#ABCD"


async def test_keys_that_we_press_are_heard_by_the_carrier() -> None:
    async with in_call(UP) as near:
        near.engine.send_digits(SendDigits("d", ROOM, LEG, "4711#"))
        await near.until(lambda: near.digits_sent and len(near.carrier.audio.digits(near.call)) >= 5)
        assert near.carrier.audio.digits(near.call) == "4711#"


async def test_words_are_spoken_one_sentence_after_the_other() -> None:
    async with in_call(f'{UP}carrier: says "Good morning."\ncarrier: tone 440 Hz 500 ms\n') as near:
        await near.until(lambda: len(loud(near.kept.clip())) > near.kept.clip().rate)
        await near.run(1.0)
        heard = near.kept.clip()
        spoken = loud(heard)
        assert len(spoken) / heard.rate > 1.0
        end = Clip(spoken[-heard.rate // 4 :], heard.rate)
        assert pitch(end.samples, heard.rate) == pytest.approx(440, abs=4)


async def test_rtp_stops_and_goes_on() -> None:
    async with in_call(UP) as near:
        await near.run(1.0)
        near.carrier.audio.perform(near.call, SendRtp(sending=False))
        await near.run(1.0)
        near.carrier.audio.perform(near.call, SendRtp(sending=True))
        await near.run(1.0)
        assert near.measured().received == pytest.approx(100, abs=3)


@pytest.mark.parametrize("line", ["carrier: no rtp", "carrier: hears only"])
async def test_a_carrier_that_sends_nothing_still_hears(line: str) -> None:
    async with in_call(f"{UP}{line}\n") as near:
        play(near, sine(700, 0.5, 8000))
        await near.until(lambda: len(loud(near.carrier.heard(near.call))) > 0)
        assert near.measured().received <= 3  # one may have slipped out with the answer


async def test_rtp_of_a_type_that_nobody_agreed_on_is_counted_as_that() -> None:
    async with in_call(f"{UP}carrier: rtp as 18\n") as near:
        await near.run(1.0)
        measured = near.measured()
        assert measured.wrong_codec > 20
        assert measured.wrong_types == (18,)
        assert measured.received <= 3


SRTP = Terms(srtp="required", secret=b"near")


async def test_srtp_is_spoken_both_ways() -> None:
    async with in_call(f"{UP}carrier: tone 440 Hz 1 s\n", terms=SRTP) as near:
        assert near.agreed is not None
        assert near.agreed.srtp is not None
        play(near, sine(900, 0.5, 8000))
        await near.run(1.8)
        heard, far = near.kept.clip(), near.carrier.heard(near.call)
        assert level_dbov(loud(heard)) == pytest.approx(TONE_DBOV, abs=WITHIN_DB)
        assert pitch(loud(far), far.rate) == pytest.approx(900, abs=5)
        assert near.measured().undecipherable == 0


async def test_a_wrong_key_opens_nothing() -> None:
    async with in_call(f"carrier: rtp with wrong key\n{UP}carrier: tone 440 Hz 1 s\n", terms=SRTP) as near:
        play(near, sine(900, 0.5, 8000))
        await near.run(1.5)
        far = near.carrier.heard(near.call)
        assert pitch(loud(far), far.rate) == pytest.approx(900, abs=5)  # it still understands us
        measured = near.measured()
        assert measured.undecipherable > 50
        assert measured.received == 0


@pytest.mark.parametrize(("codec", "payload_type"), [("PCMA", 8), ("PCMU", 0)])
async def test_the_codec_of_the_scenario_is_spoken(codec: str, payload_type: int) -> None:
    async with in_call(f"carrier: codecs {codec}\n{UP}carrier: tone 440 Hz 1 s\n") as near:
        assert near.agreed is not None
        assert (near.agreed.codec, near.agreed.payload_type) == (codec, payload_type)
        await near.run(1.8)
        assert level_dbov(loud(near.kept.clip())) == pytest.approx(TONE_DBOV, abs=WITHIN_DB)


async def test_a_call_that_is_over_keeps_its_counts_and_its_sound() -> None:
    async with in_call(f"{UP}carrier: wait 600 ms\ncarrier: bye\n") as near:
        play(near, sine(700, 0.8, 8000))
        await near.until(lambda: near.call.over)
        counted = near.carrier.audio.measured(near.call)
        assert counted.received > 5
        assert counted.sent > 5
        assert counted.codec == "PCMU"
        assert len(loud(near.carrier.heard(near.call))) > 0


async def test_nothing_is_kept_unless_it_is_asked_for() -> None:
    async with in_call(UP) as near:
        near.carrier.audio._keep_seconds = 0.0
        line = near.carrier.audio._line(near.call)
        line.kept = None
        with pytest.raises(LookupError, match="set keep_seconds"):
            near.carrier.heard(near.call)
        with pytest.raises(LookupError):
            near.carrier.audio.measured(near.call)  # it is not over


async def test_a_call_without_telephone_event_presses_no_keys() -> None:
    async with in_call(f"carrier: no telephone-event\n{UP}carrier: digits 12\n", terms=Terms()) as near:
        await near.run(1.0)
        assert near.digits == ""
        assert near.agreed is not None
        assert near.agreed.telephone_event is None


# What is kept, without a call


def frame(at: float, voices: dict[str, int], rate: int = 8000) -> Frame:
    samples = {leg: np.full(rate // 50, level, np.int16) for leg, level in voices.items()}
    return Frame(at, rate, np.zeros(rate // 50, np.int16), samples, {})


def test_a_leg_is_kept_and_silence_where_it_is_not_heard() -> None:
    kept = KeptSound("a", 1.0)
    for number, voices in enumerate(({"a": 5}, {"b": 7}, {"a": 6, "b": 7})):
        kept(frame(0.02 * number, voices))
    clip = kept.clip()
    assert clip.rate == 8000
    assert [int(part[0]) for part in framed(clip)] == [5, 0, 6]
    assert kept.began_at == 0


def test_no_more_is_kept_than_was_asked_for() -> None:
    kept = KeptSound("a", 0.1)
    for number in range(50):
        kept(frame(0.02 * number, {"a": number}))
    assert len(kept.clip().samples) == 800


def test_frames_that_are_missing_keep_their_time_as_silence() -> None:
    kept = KeptSound("a", 1.0)
    for at in (0.0, 0.02, 0.06, 0.5, 0.52, 9.0, 9.02):  # 0.06 is only late
        kept(frame(at, {"a": 5}))
    samples = kept.clip().samples
    assert len(samples) == 8000
    loud = np.flatnonzero(samples[::160])
    assert loud.tolist() == [0, 1, 2, 20, 21, 49]


def test_nothing_heard_is_an_empty_clip() -> None:
    assert len(KeptSound("a", 1.0).clip().samples) == 0


@pytest.mark.parametrize("dbov", [-3.1, -10.0, -30.0])
def test_a_tone_has_its_level(dbov: float) -> None:
    assert level_dbov(sine(1000, 1.0, 16_000, dbov).samples) == pytest.approx(dbov, abs=0.1)


def test_a_tone_begins_and_ends_softly() -> None:
    samples = sine(1000, 0.1, 16_000).samples
    assert abs(int(samples[0])) < 10
    assert abs(int(samples[-1])) < 400


def test_silence_has_no_level() -> None:
    assert level_dbov(np.zeros(160, np.int16)) == -np.inf
    assert level_dbov(np.zeros(0, np.int16)) == -np.inf

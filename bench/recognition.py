"""How well the built-in recogniser hears synthetic voices at telephone quality: right, wrong, rejected.

    python bench/recognition.py [--quick] [--json]

Each phrase of a menu is spoken by eSpeak NG's voices (and by flite's, if it is installed), made telephone
speech (8 kHz, mu-law) and recognised as the server does: two processes, the confidence that the server asks
for. The same is done with words and sentences that are none of the menu, and with noises: whatever is heard
in them is an error. No person's voice is measured here.
"""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
import wave
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from onhook.effects import Listen, SpokenText
from onhook.media.engine import g711
from onhook.media.parts import Samples
from onhook.media.resampling import Resampler
from onhook.media.speech import espeak, recognising
from onhook.media.speech.espeak import Espeak
from onhook.media.speech.recognising import Sphinx
from onhook.media.speech.workers import Workers
from processes import say

RATE, NARROW = 16_000, 8_000
AROUND_SECONDS: Final = 0.3
"""Of silence before and after: an utterance is cut out with some."""
PROCESSES: Final = 2
SECONDS: Final = 30.0
MOST_CONFUSIONS: Final = 8
ESPEAK_VOICES: Final = (
    *("en-US-JennyNeural", "en-US-GuyNeural", "en-US-AriaNeural"),
    *("en-US-DavisNeural", "en-US-NancyNeural", "en-US-TonyNeural"),
)
FLITE_VOICES: Final = ("slt", "rms", "awb", "kal16")
CHOICES: Final = ("sales", "support", "billing")
DIGITS: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
KEYWORDS: Final = (
    *DIGITS,
    *(
        "yes",
        "no",
        "operator",
        "cancel",
        "repeat",
        "account",
        "payment",
        "delivery",
        "opening hours",
        "goodbye",
    ),
)
MENUS: Final = {"three choices": CHOICES, "ten digits": DIGITS, "twenty keywords": KEYWORDS}
OTHERS: Final = (
    *(
        "window",
        "purple",
        "garden",
        "monday",
        "holiday",
        "computer",
        "elephant",
        "coffee",
        "morning",
        "tomato",
    ),
    "I have no idea what you mean",
    "could you please say that again",
    "my dog has eaten the letter",
    "the weather is rather nice today",
)
"""Nothing of it is in a menu."""
Spoken = tuple[str, str, Samples]
"""Voice, what it said, and the sound."""


@dataclass(slots=True)
class Score:
    """Of one menu and one kind of voices; shares are 0 to 1."""

    menu: str
    voices: str
    said: int
    right: float
    wrong: float
    rejected: float
    others_taken: float
    """Words and sentences that are none of the menu, and were taken for one of it."""
    confusions: list[tuple[str, str, int]] = field(default_factory=list[tuple[str, str, int]])
    """Said, heard, how often: the most frequent ones."""


@dataclass(slots=True)
class Noises:
    """Sounds that are no speech."""

    played: int
    taken: float


def telephone(sound: Samples, rate: int) -> Samples:
    """As it comes over a trunk with G.711, with silence around, at 16 kHz."""
    quiet = np.zeros(round(AROUND_SECONDS * rate), np.int16)
    whole = np.concatenate((quiet, sound, quiet))
    whole = whole[: len(whole) // (rate // 50) * (rate // 50)]
    narrow = whole if rate == NARROW else Resampler(rate, NARROW)(whole)
    law = np.zeros(1, np.uint8)
    codes = g711.encode(narrow.astype(np.int32)[None, :], law)
    return Resampler(NARROW, RATE)(g711.decode(codes, law)[0])


def noises() -> list[Samples]:
    """Tones, hiss, clicks, hum: at 16 kHz, a second or so each."""
    seconds = np.arange(RATE) / RATE
    drawn = np.random.default_rng(7)
    made = [4_000 * np.sin(2 * np.pi * hertz * seconds) for hertz in (400, 1_000, 2_500)]
    made += [level * drawn.standard_normal(RATE) for level in (300, 1_500)]
    clicks = np.zeros(RATE)
    clicks[:: RATE // 7] = 20_000
    warble = 4_000 * np.sin(2 * np.pi * (600 + 200 * np.sign(np.sin(2 * np.pi * 4 * seconds))) * seconds)
    made += [clicks, warble, 3_000 * np.sign(np.sin(2 * np.pi * 50 * seconds))]
    return [np.clip(each, -32_768, 32_767).astype(np.int16) for each in made]


async def by_espeak(engine: Espeak, texts: Sequence[str], voices: Sequence[str]) -> list[Spoken]:
    made: list[Spoken] = []
    for voice in voices:
        for text in texts:
            clip = await engine.speak(SpokenText(text, voice=voice))
            made.append((voice, text, telephone(clip.samples, clip.rate)))
    return made


async def by_flite(texts: Sequence[str], voices: Sequence[str]) -> list[Spoken]:
    made: list[Spoken] = []
    with tempfile.TemporaryDirectory(prefix="onhook-bench-") as folder:
        path = Path(folder) / "said.wav"
        for voice in voices:
            for text in texts:
                command = ("flite", "-voice", voice, "-t", text, "-o", str(path))
                assert await (await asyncio.create_subprocess_exec(*command)).wait() == 0, command
                with wave.open(str(path)) as file:
                    rate, count = file.getframerate(), file.getnframes()
                    made.append((voice, text, telephone(np.frombuffer(file.readframes(count), "<i2"), rate)))
    return made


async def heard(sphinx: Sphinx, menu: Sequence[str], sounds: Sequence[Samples]) -> list[str]:
    """What is heard of each; empty if it is not understood."""
    listen = Listen("bench", "room", "leg", phrases=tuple(menu))
    return [each.text for each in await asyncio.gather(*(sphinx.recognise(one, listen) for one in sounds))]


async def score(sphinx: Sphinx, menu: str, kind: str, spoken: Sequence[Spoken]) -> Score:
    """`spoken` are phrases of all menus and others, of one kind of voices."""
    phrases = MENUS[menu]
    mine = [(text, sound) for _, text, sound in spoken if text in phrases]
    others = [sound for _, text, sound in spoken if text in OTHERS]
    answers = await heard(sphinx, phrases, [sound for _, sound in mine])
    taken = await heard(sphinx, phrases, others)
    pairs = [(text, answer) for (text, _), answer in zip(mine, answers, strict=True)]
    wrong = Counter((text, answer) for text, answer in pairs if answer and answer != text)
    rejected = sum(not answer for _, answer in pairs)
    return Score(
        menu,
        kind,
        len(mine),
        round(sum(text == answer for text, answer in pairs) / len(mine), 3),
        round(wrong.total() / len(mine), 3),
        round(rejected / len(mine), 3),
        round(sum(map(bool, taken)) / len(others), 3),
        [(text, answer, count) for (text, answer), count in wrong.most_common(MOST_CONFUSIONS)],
    )


@asynccontextmanager
async def engines() -> AsyncIterator[tuple[Espeak, Sphinx]]:
    speakers = Workers(espeak.MODULE, count=1, max_waiting=1_000, seconds=SECONDS)
    listeners = Workers(recognising.MODULE, count=PROCESSES, max_waiting=10_000, seconds=10 * SECONDS)
    try:
        speaker = Espeak(speakers)
        yield speaker, Sphinx(listeners, speaker)
    finally:
        await speakers.close()
        await listeners.close()


async def measure(*, quick: bool) -> tuple[list[Score], Noises]:
    texts = [*KEYWORDS, *CHOICES, *OTHERS]
    limit = 1 if quick else None
    menus = ["three choices"] if quick else list(MENUS)
    async with engines() as (speaker, sphinx):
        spoken = {"eSpeak": await by_espeak(speaker, texts, ESPEAK_VOICES[:limit])}
        if shutil.which("flite") and not quick:
            spoken["flite"] = await by_flite(texts, FLITE_VOICES)
        scores: list[Score] = []
        for menu in menus:
            for kind, sounds in spoken.items():
                scores.append(await score(sphinx, menu, kind, sounds))
                say(f"{menu}, {kind}: {100 * scores[-1].right:.0f} % right")
        sounds_of_none = [telephone(each, RATE) for each in noises()]
        taken: list[str] = []
        for menu in menus:
            taken += await heard(sphinx, MENUS[menu], sounds_of_none)
    return scores, Noises(len(taken), round(sum(map(bool, taken)) / len(taken), 3))


def as_text(scores: Sequence[Score], nothing: Noises) -> str:
    lines = ["menu             voices    said  right  wrong  rejected  others taken for one of it"]
    for each in scores:
        shares = (each.right, each.wrong, each.rejected, each.others_taken)
        right, wrong, rejected, others = (f"{100 * share:.0f} %" for share in shares)
        lines.append(
            f"{each.menu:16} {each.voices:8} {each.said:5} {right:>6} {wrong:>6} {rejected:>9} {others:>8}"
        )
    lines.append(f"noises: {100 * nothing.taken:.0f} % of {nothing.played} taken for a word")
    for each in scores:
        if each.confusions:
            told = ", ".join(f"{said} as {answer} ({count})" for said, answer, count in each.confusions)
            lines.append(f"{each.menu}, {each.voices}, wrong: {told}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one voice and one menu")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    scores, nothing = asyncio.run(measure(quick=asked.quick))
    if asked.json:
        print(json.dumps({"scores": [asdict(each) for each in scores], "noises": asdict(nothing)}, indent=2))
    else:
        print(as_text(scores, nothing))
    return 0


if __name__ == "__main__":
    sys.exit(main())

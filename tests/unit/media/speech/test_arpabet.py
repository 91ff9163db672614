"""Words get phones that the recogniser has, whatever eSpeak says of them."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.media.speech.arpabet import PHONES, phones
from onhook.media.speech.confidence import KINDS
from onhook.media.speech.espeak import MODULE, Espeak
from onhook.media.speech.workers import Workers

CMU = frozenset(phone for kind in KINDS for phone in kind)


@pytest.mark.parametrize(
    ("spoken", "wanted"),
    [
        ("k@nt'oUsoU", "K AH N T OW S OW"),
        ("j'Es", "Y EH S"),
        ("tS'i:z", "CH IY Z"),
        ("f'aI@", "F AY AH"),
        ("s@p'o@t", "S AH P AO R T"),
        ("", ""),
        ("';:_|", ""),
    ],
)
def test_phones(spoken: str, wanted: str) -> None:
    assert phones(spoken) == tuple(wanted.split())


def test_each_phone_is_one_of_cmus() -> None:
    assert {phone for written in PHONES.values() for phone in written.split()} <= CMU


@given(st.text(max_size=30))
def test_any_text_gives_phones_of_cmus_only(spoken: str) -> None:
    assert set(phones(spoken)) <= CMU


@pytest.fixture
async def espeak() -> AsyncIterator[Espeak]:
    workers = Workers(MODULE, count=1, max_waiting=10, seconds=60)
    yield Espeak(workers)
    await workers.close()


async def test_words_of_the_dictionary_are_pronounced_much_as_it_has_them(espeak: Espeak) -> None:
    dictionary = {
        "yes": "Y EH S",
        "banana": "B AH N AE N AH",
        "support": "S AH P AO R T",
        "seven": "S EH V AH N",
        "choice": "CH OY S",
        "thing": "TH IH NG",
        "measure": "M EH ZH ER",
        "judge": "JH AH JH",
        "house": "HH AW S",
    }
    spoken = await espeak.pronounce(tuple(dictionary))
    found = {word: " ".join(phones(said)) for word, said in zip(dictionary, spoken, strict=True)}
    assert found == dictionary

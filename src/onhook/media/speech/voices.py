"""Which of eSpeak's voices stands for a voice that an application names.

Names of Azure's voices tell locale and person: en-US-NancyNeural. The locale chooses the language; the
person's gender and name choose one of eSpeak's variants, so that two persons sound like two. Documented
names: learn.microsoft.com, Speech service, language support; the genders below are from that list.
"""

import re
import zlib
from collections.abc import Iterable
from typing import Final, NamedTuple

from onhook.media.speech.espeak_words import Language

DEFAULT_LOCALE: Final = "en-US"
VARIANTS: Final = {"female": ("f2", "f3", "f4", "f5"), "male": ("m1", "m3", "m7", "m8")}
OTHER_TAGS: Final = {"zh-cn": "cmn", "zh-tw": "cmn", "zh-hk": "yue", "iw": "he", "in": "id", "fil": "tl"}
"""Tags under which eSpeak knows what others call differently."""
MALE_NAMES: Final = """
adam adri alain alessio alvaro andrew andrika antoine ardi babu baptiste bart bashkar bob brandon
brian byron cataldo celestino chris christoph christopher claude conrad dan darren davis diego
dmitry duarte duncan eduardo elias elliot emil eric ethan fabio fabrice farid filip finn florian
francisco gabriel george gerard giorgi guillaume guy hamed harri henri henrik humberto ivan jacob
jajang jamie jan jason jean jeppe jerome jorge julio kai kangkang karl keita kert kevin killian
lampros laurent leonardo lewis liam linus louis luca lucas luke maarten madhur manuel manuelito
marek mario mark masaru maurice mitchell mohan moulay naoki naum nestorius nicolau niwat noah oliver
ostap panu paul prabhat ralf rashid remy roberto rocco roger rok ryan salman saul sebastian sergio
stefan steffan sylvestre tadeas tamas teun theo thomas tim tony tor valerio wayne william yunfeng
yunhao yunjian yunxi yunyang yunye yves
"""
MALE: Final = frozenset(MALE_NAMES.split())
VOICE_NAME: Final = re.compile(
    r"(?P<locale>[a-z]{2,3}(-[A-Z][a-z]{3})?-([A-Z]{2}|[0-9]{3})(-[a-z]+)?)-(?P<person>[A-Z][A-Za-z]*[0-9A-Za-z]*)(:\w+)?"
)
ENDINGS: Final = re.compile(r"(Multilingual|Turbo|Neural|24kRUS|Standard|RUS|Apollo).*$")
MAX_SHOWN_CHARACTERS: Final = 80


class Wish(NamedTuple):
    """What is asked for; empty where nothing is. `gender` is male or female; `locale` as in "en-US"."""

    name: str = ""
    locale: str = ""
    gender: str = ""


class NoSuchVoice(Exception):
    """The text names what there is."""


class Voices:
    """What one eSpeak NG can speak."""

    def __init__(self, languages: Iterable[Language]) -> None:
        self._by_tag: dict[str, Language] = {}
        for language in languages:
            tag = language.tag.lower()
            known = self._by_tag.get(tag)
            if known is None or language.priority < known.priority:
                self._by_tag[tag] = language

    @property
    def tags(self) -> list[str]:
        """Languages, without regions."""
        return sorted({tag.partition("-")[0] for tag in self._by_tag})

    def find(self, wish: Wish, *, any_name: bool = False) -> str:
        """The name that eSpeak has for it. A name says more than a locale and gender beside it.

        `any_name`: a custom voice, whose name nobody can know. Raises NoSuchVoice.
        """
        locale, gender, person = wish.locale or DEFAULT_LOCALE, wish.gender, wish.name
        if wish.name:
            named = VOICE_NAME.fullmatch(wish.name)
            if named:
                locale, person = named["locale"], ENDINGS.sub("", named["person"])
                gender = "male" if person.lower() in MALE else "female"
            elif wish.name.lower() in self._by_tag:
                return self._by_tag[wish.name.lower()].voice
            elif not any_name:
                raise NoSuchVoice(
                    f"there is no voice {wish.name[:MAX_SHOWN_CHARACTERS]!r}: names look like "
                    f"en-US-NancyNeural, and the built-in engine speaks {', '.join(self.tags)}"
                )
        variants = VARIANTS["male" if gender == "male" else "female"]
        return f"{self._language(locale).voice}+{variants[zlib.crc32(person.encode()) % len(variants)]}"

    def _language(self, locale: str) -> Language:
        tag = locale.replace("_", "-").lower()
        while tag:
            found = self._by_tag.get(OTHER_TAGS.get(tag, tag))
            if found:
                return found
            tag = tag.rpartition("-")[0]
        raise NoSuchVoice(
            f"there is no voice for {locale[:MAX_SHOWN_CHARACTERS]!r}: the built-in engine speaks "
            f"{', '.join(self.tags)}"
        )

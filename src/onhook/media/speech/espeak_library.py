"""eSpeak NG through ctypes. Loaded by its worker process only: its licence is GPL-3.0-or-later.

Source: espeak-ng's speak_lib.h (API of 1.52).
"""

import ctypes
from typing import Any, Final

import espeakng_loader  # pyright: ignore[reportMissingTypeStubs]  # has none

from onhook.media.speech.espeak_words import Language

SYNCHRONOUS_RETRIEVAL: Final = 2
DONT_EXIT: Final = 0x8000
"""Return an error instead of ending the process."""
CHARACTERS_UTF8: Final = 1
SSML: Final = 0x10
POSITION_CHARACTER: Final = 1
OK: Final = 0


class _Voice(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_void_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    ]


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class TooLong(Exception):
    """It speaks longer than it may."""


class Library:
    """One in a process. `rate` is that of its sound, in Hz."""

    def __init__(self) -> None:
        """Raises OSError."""
        self._lib: Any = ctypes.CDLL(espeakng_loader.get_library_path())
        self._lib.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
        self._lib.espeak_TextToPhonemes.restype = ctypes.c_char_p
        data = str(espeakng_loader.get_data_path()).encode()
        self.rate = int(self._lib.espeak_Initialize(SYNCHRONOUS_RETRIEVAL, 0, data, DONT_EXIT))
        if self.rate <= 0:
            raise OSError(f"eSpeak NG found no data at {data.decode()}")
        self._sound: list[bytes] = []
        self._left = 0
        self._callback = _Callback(self._take)  # kept: the library holds no reference
        self._lib.espeak_SetSynthCallback(self._callback)

    def languages(self) -> list[Language]:
        listed = self._lib.espeak_ListVoices(None)
        found: list[Language] = []
        for voice in iter(listed):
            if not voice:
                break
            name, at = voice.contents.identifier.decode(), voice.contents.languages
            while priority := ctypes.cast(at, ctypes.POINTER(ctypes.c_ubyte))[0]:
                tag = ctypes.string_at(at + 1)
                found.append(Language(tag.decode(), priority, name))
                at += len(tag) + 2
        return found

    def speak(self, voice: str, ssml: str, max_seconds: float) -> bytes:
        """Samples, 16 bits. Raises LookupError for an unknown voice, TooLong."""
        self._set_voice(voice)
        self._sound, self._left = [], int(max_seconds * self.rate)
        text = ssml.encode()
        self._lib.espeak_Synth(
            text, len(text) + 1, 0, POSITION_CHARACTER, 0, CHARACTERS_UTF8 | SSML, None, None
        )
        self._lib.espeak_Synchronize()
        if self._left < 0:
            raise TooLong
        return b"".join(self._sound)

    def phonemes(self, voice: str, text: str) -> str:
        """In eSpeak's own letters. Raises LookupError for an unknown voice."""
        self._set_voice(voice)
        spoken: list[str] = []
        at = ctypes.c_char_p(text.encode())
        while at.value:  # a clause at a time; the pointer moves, and is empty at the end
            clause = self._lib.espeak_TextToPhonemes(ctypes.byref(at), CHARACTERS_UTF8, 0)
            spoken.append(clause.decode())
        return " ".join(spoken)

    def _set_voice(self, voice: str) -> None:
        if self._lib.espeak_SetVoiceByName(voice.encode()) != OK:
            raise LookupError(voice)

    def _take(self, sound: Any, count: int, _events: Any) -> int:
        """Called by the library with what it made; 1 stops it."""
        if sound and count > 0:
            self._left -= count
            if self._left < 0:
                return 1
            self._sound.append(ctypes.string_at(sound, count * 2))
        return 0

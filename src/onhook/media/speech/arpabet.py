"""How words sound that the recogniser's dictionary has not: eSpeak's phonemes in the dictionary's letters.

ESpeak writes American English in letters of its own (espeak-ng, docs/phonemes.md), the dictionary in those
of CMU (ARPAbet, 39 phones).
"""

from typing import Final

PHONES: Final = {
    "tS": "CH", "dZ": "JH", "aI": "AY", "aU": "AW", "eI": "EY", "OI": "OY", "oU": "OW", "aI@": "AY AH",
    "aI3": "AY ER", "aU@": "AW AH", "i@": "IY AH", "e@": "EH R", "I@": "IH R", "U@": "UH R", "o@": "AO R",
    "O@": "AO R", "A@": "AA R", "3:": "ER", "i:": "IY", "u:": "UW", "A:": "AA", "O:": "AO", "I2": "IH",
    "I#": "IH", "a#": "AH", "@2": "AH", "@5": "AH", "@L": "AH L", "t2": "T", "t#": "T", "d#": "D", "l#": "L",
    "n-": "N", "r-": "R", "w#": "W", "z#": "Z", "i": "IY", "u": "UW", "a": "AE", "A": "AA", "E": "EH",
    "I": "IH", "O": "AO", "0": "AA", "U": "UH", "V": "AH", "@": "AH", "3": "ER", "e": "EY", "o": "OW",
    "p": "P", "b": "B", "t": "T", "d": "D", "k": "K", "g": "G", "f": "F", "v": "V", "T": "TH", "D": "DH",
    "s": "S", "z": "Z", "S": "SH", "Z": "ZH", "h": "HH", "m": "M", "n": "N", "N": "NG", "l": "L", "L": "L",
    "r": "R", "w": "W", "j": "Y", "x": "K", "C": "HH", "R": "R", "n^": "N Y", "y": "UW", "W": "W",
}  # fmt: skip
LONGEST: Final = max(map(len, PHONES))


def phones(spoken: str) -> tuple[str, ...]:
    """CMU phones for eSpeak's phonemes; stress and what has no counterpart are left out."""
    found: list[str] = []
    at = 0
    while at < len(spoken):
        size = next((size for size in range(LONGEST, 0, -1) if spoken[at : at + size] in PHONES), 0)
        found += PHONES[spoken[at : at + size]].split() if size else ()
        at += size or 1
    return tuple(found)

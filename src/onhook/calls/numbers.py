"""Telephone numbers as ACS takes them: E.164 with a leading plus (ITU-T E.164, at most 15 digits)."""

import re

_E164 = re.compile(r"\+[1-9][0-9]{1,14}")


def is_e164(number: str) -> bool:
    return _E164.fullmatch(number) is not None


def fault_in(number: str) -> str:
    """What keeps `number` from being E.164, in words for the person who wrote it; empty if nothing does."""
    if is_e164(number):
        return ""
    if not number:
        return "the number is empty"
    digits = number.removeprefix("+")
    if not digits:
        return "no digit follows the +"
    if number.startswith("00"):
        return f"it begins with 00; write +{number[2:]}"
    if "+" in digits:
        return "a + may stand at its beginning only, once"
    if not digits.isascii() or not digits.isdigit():
        wrong = sorted({char for char in digits if char not in "0123456789"})
        shown = ", ".join(repr(char) for char in wrong[:5])
        return f"it holds {shown}; only + and digits are allowed"
    if digits.startswith("0"):
        return "the country code begins with 0"
    if not number.startswith("+"):
        return f"the leading + is missing; write +{number}"
    return f"it has {len(digits)} digits; E.164 allows 2 to 15"

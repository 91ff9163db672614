"""What a question about an ended call asks, once it has been read."""

import msgspec


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One thing asked. `number` may be a code or a subcode; `words` are names or parts of them.

    `event` is the callback event that carried the codes, `http_status` what an SDK was answered with, `fault`
    the id of a row of tables/faults.csv: what keeps an SDK from an answer at all.
    """

    how: str
    code: int | None = None
    subcode: int | None = None
    number: int | None = None
    sip_status: int | None = None
    q850_cause: int | None = None
    category: str = ""
    words: tuple[str, ...] = ()
    event: str = ""
    http_status: int | None = None
    fault: str = ""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """`calls` are ids of calls that stand in the text, in its order."""

    text: str
    asked: tuple[Asked, ...]
    remarks: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()


def is_code(number: int) -> bool:
    """Whether `number` can stand as a code: 0, or three digits of the classes 1xx to 6xx."""
    return number == 0 or 100 <= number <= 699

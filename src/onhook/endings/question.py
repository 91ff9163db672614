"""Read what a person pastes about an ended call: codes, names, log lines, SIP headers, JSON, exceptions.

Reading never raises. It only says what was asked; `lookup` answers.
"""

import re
from collections.abc import Iterator
from itertools import islice, pairwise
from typing import Any, TypeGuard

import msgspec

from onhook.endings.asked import Asked, Question, is_code
from onhook.endings.question_errors import read_error

MAX_INPUT_CHARS = 20_000
MAX_ASKED = 8
"""How many different pairs of one text are answered."""
MAX_JSON_NODES = 2_000
MAX_WORDS = 12
MAX_NUMBERS = 100
MAX_CALLS = 4

_DIAG_CODE = re.compile(r"diag ?codes?\W{0,3}([0-9]{1,9})\s*#\s*([0-9]{1,9})", re.IGNORECASE)
_SUBCODE = re.compile(
    r"(?:sub[ _-]?code|EndSubCode)[\"']?\s{0,3}(?:[:=]|\bis\b)?\s{0,3}[\"']?([0-9]{1,9})", re.IGNORECASE
)
_CODE = re.compile(
    r"(?:(?<![a-z])(?<!sub[ _-])code|EndReason)[\"']?\s{0,3}(?:[:=]|\bis\b)?\s{0,3}[\"']?([0-9]{1,9})",
    re.IGNORECASE,
)
_SIP_STATUS = re.compile(
    r"\bsip(?:/2\.0\s+|\s*;\s*cause\s*=\s*\"?|\s+(?:status\s+)?)([1-6][0-9]{2})\b", re.IGNORECASE
)
_Q850 = re.compile(r"\bq\.?850\W{0,4}(?:cause)?\W{0,4}([0-9]{1,3})\b", re.IGNORECASE)
_CAUSE_ALONE = re.compile(r"\s*cause\W{0,3}([0-9]{1,3})\s*", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![0-9A-Za-z])[0-9]{1,9}(?![0-9A-Za-z])")
_BETWEEN_PAIR = re.compile(r"\s*(?:[/#,;:|-]|\band\b)?\s*")
_LONG_NUMBER = re.compile(r"[0-9]{10}")
_WORD = re.compile(r"[A-Za-z][A-Za-z'/-]*")
_CALL = re.compile(
    r"callConnection(?:Id|s)[\"']?\s{0,3}[:=/]\s{0,3}[\"']?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})",
    re.IGNORECASE,
)
_EVENT = re.compile(r"Microsoft\.Communication\.([A-Za-z]{1,60})")
_NOT_KEY = re.compile(r"[^a-z0-9]")

_SUBCODE_KEYS = ("subcode", "participantendsubcode", "resultsubcode")
_CODE_KEYS = ("code", "participantendreason", "resultcode", "resultsignature")
_STATUS_KEYS = ("statuscode", "httpstatuscode", "status")
_CATEGORY_KEYS = ("resultcategory", "resultcategories", "resulttype")
_DETAILS = frozenset({"sipdetails", "q850details"})


def read(text: str) -> Question:
    """What `text` asks. Text beyond MAX_INPUT_CHARS is not read, and the remarks say so."""
    remarks: list[str] = []
    if len(text) > MAX_INPUT_CHARS:
        text = text[:MAX_INPUT_CHARS]
        remarks.append(f"Only the first {MAX_INPUT_CHARS} characters were read.")
    text = text.encode("utf-8", "replace").decode("utf-8").strip()
    if not text:
        return Question(text=text, asked=(), remarks=("Nothing was asked.",))
    asked = _from_json(text, remarks) if text[0] in "{[" else []
    asked = asked or _labelled(text) or read_error(text) or _from_sip(text) or _from_numbers(text, remarks)
    distinct = list(dict.fromkeys(asked))
    if len(distinct) > MAX_ASKED:
        remarks.append(f"{len(distinct)} codes were found; the first {MAX_ASKED} are answered.")
    calls = tuple(dict.fromkeys(call.lower() for call in islice(_calls(text), MAX_CALLS)))
    return Question(text=text, asked=tuple(distinct[:MAX_ASKED]), remarks=tuple(remarks), calls=calls)


def _calls(text: str) -> Iterator[str]:
    return (found[1] for found in _CALL.finditer(text))


def _labelled(text: str) -> list[Asked]:
    """`DiagCode: 0#7000` and `code 486 subcode 560486` in any order and punctuation."""
    diagnoses = _DIAG_CODE.findall(text)
    if diagnoses:
        return [Asked(how="DiagCode", code=int(code), subcode=int(subcode)) for code, subcode in diagnoses]
    subcodes, codes = _SUBCODE.findall(text), _CODE.findall(text)
    if subcodes and len(codes) in {0, len(subcodes)}:
        codes = codes or [None] * len(subcodes)
        return [
            Asked(how="labels in the text", code=_int(code), subcode=int(subcode))
            for code, subcode in zip(codes, subcodes, strict=True)
        ]
    if subcodes:
        return [Asked(how="label in the text", subcode=int(subcode)) for subcode in subcodes]
    return []


def _int(text: str | None) -> int | None:
    return int(text) if text else None


def _from_sip(text: str) -> list[Asked]:
    """A status line, a whole SIP response, or a Reason header (RFC 3326)."""
    status, cause = _SIP_STATUS.search(text), _Q850.search(text) or _CAUSE_ALONE.fullmatch(text)
    if status is None and cause is None:
        return []
    return [
        Asked(
            how="SIP status" if status else "Q.850 cause",
            sip_status=int(status[1]) if status else None,
            q850_cause=int(cause[1]) if cause else None,
        )
    ]


def _from_numbers(text: str, remarks: list[str]) -> list[Asked]:
    if _LONG_NUMBER.search(text):
        remarks.append("Numbers of ten digits or more are no codes and were passed over.")
    found = list(islice(_NUMBER.finditer(text), MAX_NUMBERS))
    words = tuple(word[0] for word in islice(_WORD.finditer(text), MAX_WORDS))
    pairs = [
        (int(one[0]), int(other[0]))
        for one, other in pairwise(found)
        if _BETWEEN_PAIR.fullmatch(text, one.end(), other.start())
    ]
    asked = [
        Asked(how="pair", code=left if is_code(left) else right, subcode=right if is_code(left) else left)
        for left, right in pairs
        if is_code(left) or is_code(right)
    ]
    if asked:
        return asked
    numbers = [int(number[0]) for number in found]
    if words and len(numbers) <= 1:
        code = numbers[0] if numbers and is_code(numbers[0]) else None
        number = numbers[0] if numbers and code is None else None
        return [Asked(how="words", words=words, code=code, number=number)]
    return [Asked(how="number", number=number) for number in numbers]


def _from_json(text: str, remarks: list[str]) -> list[Asked]:
    """Pairs inside callEndReason, callback events, log rows, and query results with columns and rows."""
    try:
        data = msgspec.json.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return []
    asked: list[Asked] = []
    texts: list[str] = []
    event = ""
    for node in _walk(data):
        if isinstance(node, str):
            texts.append(node)
        else:
            event = _event(node) or event
            asked.extend(_from_object(node, event))
    if not asked:
        for inner in texts:
            asked.extend(_labelled(inner))
    asked = _fullest(asked) or read_error(text)
    if not asked and event:
        remarks.append(f"The event {event} holds no code with a subCode: it tells of no failure.")
        return [Asked(how="event", event=event)]
    if not asked:
        remarks.append("The JSON holds no code with a subCode.")
        return [Asked(how="JSON", words=())]
    return asked


def _event(members: dict[str, Any]) -> str:
    """The event's name out of its type, such as CallDisconnected; "" for anything else."""
    named = members.get("type") or members.get("eventtype")
    found = _EVENT.fullmatch(named) if isinstance(named, str) else None
    return found[1] if found else ""


def _fullest(asked: list[Asked]) -> list[Asked]:
    """Without those that say less of a subcode than another does: errors repeat themselves inside."""
    told = {each.subcode for each in asked if each.code is not None}
    return [each for each in asked if each.code is not None or each.subcode not in told]


def _is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _plain(members: dict[str, Any]) -> dict[str, Any]:
    """The members with their names in lower case, letters and digits only."""
    return {_NOT_KEY.sub("", name.lower()): value for name, value in members.items()}


def _walk(data: Any) -> Iterator[dict[str, Any] | str]:
    """Every object (keys lower-case, letters and digits only) and every text, in document order."""
    stack: list[Any] = [data]
    for _ in range(MAX_JSON_NODES):
        if not stack:
            return
        node = stack.pop()
        if isinstance(node, str):
            stack.extend(_json_inside(node))
            yield node
        elif _is_list(node):
            stack.extend(reversed(node[:MAX_JSON_NODES]))
        elif _is_object(node):
            plain = _plain(node)
            yield plain
            stack.extend(_table_rows(plain))
            stack.extend(reversed([value for key, value in plain.items() if key not in _DETAILS]))


def _json_inside(text: str) -> list[Any]:
    """Logs keep some objects as text that is JSON itself."""
    if not text.startswith("{"):
        return []
    try:
        return [msgspec.json.decode(text)]
    except (msgspec.DecodeError, ValueError, RecursionError):
        return []


def _table_rows(table: dict[str, Any]) -> list[Any]:
    """Rows of a query result as objects, last first."""
    columns, rows = table.get("columns"), table.get("rows")
    if not _is_list(columns) or not _is_list(rows):
        return []
    names = [str(column.get("name", "")) for column in columns if _is_object(column)]
    return [dict(zip(names, row, strict=False)) for row in reversed(rows[:MAX_JSON_NODES]) if _is_list(row)]


def _from_object(members: dict[str, Any], event: str) -> list[Asked]:
    code = _first_number(members, _CODE_KEYS)
    subcode = _first_number(members, _SUBCODE_KEYS)
    if subcode is None and code is not None and not is_code(code):
        status = _first_number(members, _STATUS_KEYS)
        code, subcode = status if status is not None and is_code(status) else None, code
    if subcode is None and (code is None or "message" not in members):
        return []
    return [
        Asked(
            how="JSON",
            code=code,
            subcode=subcode,
            sip_status=_detail(members, "sipdetails"),
            q850_cause=_detail(members, "q850details"),
            category=_category(members),
            event=event,
        )
    ]


def _first_number(members: dict[str, Any], keys: tuple[str, ...]) -> int | None:
    for key in keys:
        value = members.get(key)
        if isinstance(value, bool):
            continue
        if isinstance(value, int) and abs(value) < 10**9:
            return value
        if isinstance(value, str) and _NUMBER.fullmatch(value):
            return int(value)
    return None


def _detail(members: dict[str, Any], key: str) -> int | None:
    details = members.get(key)
    if not _is_object(details):
        return None
    return _first_number(_plain(details), ("code",))


def _category(members: dict[str, Any]) -> str:
    for key in _CATEGORY_KEYS:
        value = members.get(key)
        if _is_list(value) and value:
            value = value[0]
        if isinstance(value, str) and value:
            return value
    return ""

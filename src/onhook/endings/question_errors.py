"""Read exceptions of the Azure SDKs: which status the service gave, which code, or why it gave none.

The forms are those of azure-core for Python (`(8522) Call not found.`, then lines Code, Message, Target),
of the JavaScript core (RestError with `code` and `statusCode`), both validated with the SDKs themselves, and
of .NET (RequestFailedException: lines Status, ErrorCode, Content; documented).
"""

import re
from functools import cache
from http import HTTPStatus

import msgspec

from onhook.endings.asked import Asked, is_code
from onhook.endings.tables import read_table

MAX_NAME_CHARACTERS = 60

_MARK = re.compile(
    r"\b(?:RestError|HttpResponseError|ClientAuthenticationError|Resource(?:NotFound|Exists)Error"
    r"|Service(?:Request|Response)(?:Timeout)?Error|RequestFailedException|azure\.core\.exceptions)\b"
)
_PYTHON = re.compile(
    rf"^(?:.{{0,200}}: )?\(([A-Za-z0-9_]{{1,{MAX_NAME_CHARACTERS}}})\) .*$(?=[\s\S]{{0,4000}}^Code: \1\s*$)",
    re.MULTILINE,
)
_DOTNET_STATUS = re.compile(r"^\s*Status: ([1-5][0-9]{2})(?: \(|\s*$)", re.MULTILINE)
_DOTNET_CODE = re.compile(rf"^\s*ErrorCode: ([A-Za-z0-9_]{{1,{MAX_NAME_CHARACTERS}}})\s*$", re.MULTILINE)
_JS_STATUS = re.compile(r"[\"']?statusCode[\"']?: ?([1-5][0-9]{2})\b")
_JS_CODE = re.compile(rf"[\"']?\bcode[\"']?: ?[\"']([A-Za-z0-9_]{{1,{MAX_NAME_CHARACTERS}}})[\"']")
_PHRASE = re.compile(r"returned an invalid status (?:code )?'([^'\n]{1,60})'")
_CLASS_STATUS = {"ClientAuthenticationError": 401, "ResourceNotFoundError": 404, "ResourceExistsError": 409}
"""Validated: the Python SDK raises these classes for these statuses, HttpResponseError for others."""


class Fault(msgspec.Struct, frozen=True):
    """Why an SDK got no answer, or a refusal by name. `signs` are parts of the text in lower case; one with
    `&` wants all of its parts. `status` is set for refusals that HTTP gave.
    """

    id: str
    signs: tuple[str, ...]
    status: int | None
    side: str
    name: str
    meaning: str
    advice: str
    basis: str
    source: str

    def fits(self, text: str) -> bool:
        """Does `text` (in lower case) show one of the signs?"""
        return any(all(part in text for part in sign.split("&")) for sign in self.signs)


@cache
def faults() -> dict[str, Fault]:
    """Every fault by its id, the more precise before the more general."""
    return {
        line["id"]: msgspec.convert(
            {
                **line,
                "signs": line["signs"].split("|"),
                "status": int(line["status"]) if line["status"] else None,
            },
            Fault,
        )
        for line in read_table("faults")
    }


def fault_in(text: str) -> Fault | None:
    """The first fault whose signs stand in `text`."""
    small = text.lower()
    return next((fault for fault in faults().values() if fault.fits(small)), None)


def read_error(text: str) -> list[Asked]:
    """What an exception asks about: its code and status, else what its words show; [] for other text.

    A code that is a number is a subcode (validated for 401: "7509"); a name is looked up as words.
    """
    python, dotnet = _PYTHON.search(text), _DOTNET_CODE.search(text)
    status = _status(text)
    marked = bool(_MARK.search(text) or python or (dotnet and status))
    javascript = _JS_CODE.search(text) if marked or status else None
    named = python or dotnet or javascript
    code = named[1] if named else ""
    if code.isdecimal() and len(code) <= 9 and not is_code(int(code)):
        return [Asked(how="SDK error", code=status, subcode=int(code), http_status=status)]
    fault = None if "SIP/2.0" in text else fault_in(text)
    if fault is not None:
        return [Asked(how="SDK error", fault=fault.id, http_status=status or fault.status)]
    if not marked and not _PHRASE.search(text):
        return []
    if status is not None:
        words = (code,) if code and not code.isdecimal() else ()
        return [Asked(how="SDK error", http_status=status, code=status, words=words)]
    return [Asked(how="SDK error", words=(code,))] if code else []


def _status(text: str) -> int | None:
    """The HTTP status that the exception tells, by number, by phrase or by its class."""
    for pattern in (_DOTNET_STATUS, _JS_STATUS):
        if found := pattern.search(text):
            return int(found[1])
    if found := _PHRASE.search(text):
        told = found[1].strip().lower()
        return next(
            (status.value for status in HTTPStatus if told in {status.phrase.lower(), str(status.value)}),
            None,
        )
    return next((status for name, status in _CLASS_STATUS.items() if name in text), None)

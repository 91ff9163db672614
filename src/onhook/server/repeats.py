"""Requests that are sent again: Repeatability-Request-ID and Repeatability-First-Sent.

Both SDKs keep id, date and body over all attempts of one call of theirs and repeat POSTs after 5xx
(validated), so the first success must be answered again, byte for byte. What happens to an id used for
another request is assumed after OASIS Repeatable Requests 1.0: refused. Refusals are not remembered,
so that an attempt after a 429 or 503 is a real one.
"""

import re
from collections.abc import Mapping
from hashlib import sha256

from onhook.acs.dates import read_imf_fixdate
from onhook.acs.errors import ApiError, shown
from onhook.acs.requests import Reply

REQUEST_ID = "repeatability-request-id"
FIRST_SENT = "repeatability-first-sent"
RESULT = ("Repeatability-Result", "accepted")
GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def repeatability_id(headers: Mapping[str, str]) -> str:
    """The id, lower case; empty if the request is not repeatable. Raises ApiError 400 if malformed."""
    request_id = headers.get(REQUEST_ID)
    first_sent = headers.get(FIRST_SENT)
    if request_id is None and first_sent is None:
        return ""
    if request_id is None or GUID.fullmatch(request_id) is None:
        said = "missing" if request_id is None else f"{shown(request_id)}, which is no GUID"
        raise _refused("Repeatability-Request-ID", f"Repeatability-Request-ID is {said}.")
    if first_sent is None or read_imf_fixdate(first_sent) is None:
        said = "missing" if first_sent is None else f"{shown(first_sent)}, which is no HTTP date"
        raise _refused(
            "Repeatability-First-Sent",
            f"Repeatability-First-Sent is {said}. It looks like Mon, 23 Nov 2026 11:39:41 GMT.",
        )
    return request_id.lower()


def fingerprint(operation: str, raw_path: str, body: bytes) -> str:
    """What must be the same for two requests to be one request sent twice."""
    return f"{operation} {raw_path} {sha256(body).hexdigest()}"


def check_same(request_id: str, earlier: Reply, now_asked: str) -> None:
    """Raises ApiError 400 if the id was used for another request."""
    if earlier.fingerprint != now_asked:
        raise _refused(
            "Repeatability-Request-ID",
            f"Repeatability-Request-ID {request_id} was used before for another request"
            f" ({earlier.fingerprint.partition(' ')[0]}, or another body). Use a new id for a new request.",
        )


def _refused(header: str, message: str) -> ApiError:
    return ApiError(400, "InvalidRepeatability", message, target=header)

"""What is wrong with a message that could be read, and what a user agent answers to it.

The order of checks is that of RFC 3261 sections 8.2 and 16.3: syntax of what the stack needs, method,
Request-URI, hops, extensions, content. Headers that are not needed may be as wrong as they like (section
8.2: ignore them). Where RFC 4475 leaves a choice, the docstring of a check says what was chosen.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from onhook.sip.headers import parse_name_addr, parse_number
from onhook.sip.messages import METHODS, REASONS, Malformed, Request, Response, respond
from onhook.sip.uri import BadUri, SipUri, parse_uri, scheme_of

CALL_METHODS = frozenset({"INVITE", "ACK", "CANCEL", "BYE", "OPTIONS"})
CALL_SCHEMES = frozenset({"sip", "sips", "tel"})
CALL_CONTENT = frozenset({"application/sdp"})

MAX_FORWARDS = 255
BRANCH_COOKIE = "z9hG4bK"
"""RFC 3261 section 8.1.1.7; the id follows it."""

_WRITTEN_ONCE = (("call-id", "Call-ID"), ("cseq", "CSeq"), ("from", "From"), ("to", "To"))
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_EMPTY_PART = re.compile(r"[;,][ \t]*[;,]")


@dataclass(frozen=True, slots=True)
class Refusal:
    """The answer to a request that is wrong. `reason` says what is wrong, as RFC 3261 section 21.4.1 asks.

    `answerable` is False if there is nobody to answer: no readable Via, or an ACK. Then drop the request.
    """

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...] = ()
    answerable: bool = True

    def response(self, request: Request, to_tag: str) -> Response | None:
        """The response to send, to where Via or the packet's source says; None if none may be sent."""
        if not self.answerable:
            return None
        response = respond(request, self.status, self.reason, to_tag=to_tag)
        for name, value in self.headers:
            response.headers.add(name, value)
        return response


def check_malformed(malformed: Malformed) -> Refusal | None:
    """What to answer to bytes that are no message, with `malformed.request`; None to drop them."""
    if malformed.request is None:
        return None
    generic = REASONS[malformed.status]
    return Refusal(malformed.status, _one_line(malformed.why) if malformed.status == 400 else generic)


def check_request(
    request: Request,
    *,
    known_methods: Collection[str] = CALL_METHODS,
    supported_extensions: Collection[str] = (),
    accepted_types: Collection[str] = CALL_CONTENT,
    known_schemes: Collection[str] = CALL_SCHEMES,
    forwarding: bool = False,
) -> Refusal | None:
    """What a user agent must answer instead of handling the request; None if nothing is wrong with it.

    `supported_extensions` are option tags, `accepted_types` media types, both lower-case. `forwarding` adds
    the one check of proxies, Max-Forwards 0 (483): a user agent handles such a request (RFC 4475, 3.3.11).
    """
    refusal = (
        _check_syntax(request)
        or _check_method(request, known_methods)
        or _check_uri(request, known_schemes)
        or _check_hops(request, forwarding=forwarding)
        or _check_extensions(request, supported_extensions)
        or _check_accept(request, accepted_types)
        or _check_content(request, accepted_types)
    )
    if refusal and (request.method == "ACK" or request.via is None):
        return Refusal(refusal.status, refusal.reason, refusal.headers, answerable=False)
    return refusal


def check_response(response: Response) -> str | None:
    """Why a user agent must ignore this response (RFC 3261 section 8.1.3.3); None if it need not."""
    headers = response.headers
    if response.via is None:
        return "Via is missing or unreadable"
    if headers.count("via") > 1 or ("," in headers.get("via") and len(headers.values("via")) > 1):
        return "more than one Via: it was not meant for us"
    return _wrong_identity(response)


def _check_syntax(request: Request) -> Refusal | None:
    """The headers that carry the transaction and the dialog.

    Chosen where RFC 4475 leaves it open: a branch that is the cookie alone is refused (3.2.1); From
    without tag, no Max-Forwards and no Contact are let through, as RFC 2543 peers send them (3.4.1).
    """
    if request.via is None:
        return Refusal(400, "Via is missing or unreadable")
    if request.branch == BRANCH_COOKIE:
        return Refusal(400, "Via branch has no id after z9hG4bK")
    for key, name in (("via", "Via"), ("contact", "Contact")):
        if any(_has_empty_part(line) for line in request.headers.all(key)):
            return Refusal(400, f"{name} has empty values or parameters")
    wrong = _wrong_identity(request)
    if wrong:
        return Refusal(400, wrong)
    cseq = request.cseq
    if cseq and cseq.method != request.method:
        return Refusal(
            400, f"CSeq is of {_one_line(cseq.method)}, the request is {_one_line(request.method)}"
        )
    return _check_contacts(request)


def _wrong_identity(message: Request | Response) -> str | None:
    for key, name in _WRITTEN_ONCE:
        count = message.headers.count(key)
        if count != 1:
            return f"Missing {name}" if not count else f"More than one {name}"
    if not message.call_id:
        return "Call-ID is empty"
    if message.cseq is None:
        return "CSeq is not a number below 2**31 and a method"
    if message.from_ is None:
        return "From is unreadable"
    return "To is unreadable" if message.to is None else None


def _check_contacts(request: Request) -> Refusal | None:
    """Every Contact must be readable; a bare URI with headers must have been in angle brackets (3.1.2.13)."""
    for value in request.headers.values("contact"):
        contact = parse_name_addr(value)
        if contact is None:
            return Refusal(400, "Contact is unreadable")
        if "<" not in value and "?" in contact.uri:
            return Refusal(400, "Contact with headers in its URI needs angle brackets")
    return None


def _check_method(request: Request, known_methods: Collection[str]) -> Refusal | None:
    if request.method in known_methods:
        return None
    allow = (("Allow", ", ".join(sorted(known_methods))),)
    return (
        Refusal(405, REASONS[405], allow) if request.method in METHODS else Refusal(501, REASONS[501], allow)
    )


def _check_uri(request: Request, known_schemes: Collection[str]) -> Refusal | None:
    """Chosen: headers in a Request-URI are refused (RFC 4475, 3.1.2.11, lets us ignore them as well)."""
    scheme = scheme_of(request.uri)
    if not scheme:
        return Refusal(400, "Request-URI is no URI")
    if scheme not in known_schemes:
        return Refusal(416, REASONS[416])
    if scheme not in CALL_SCHEMES:
        return None
    uri = parse_uri(request.uri)
    if isinstance(uri, BadUri):
        return Refusal(400, f"Request-URI: {_one_line(uri.why)}")
    if isinstance(uri, SipUri) and uri.headers:
        return Refusal(400, "Request-URI holds headers")
    return None


def _check_hops(request: Request, *, forwarding: bool) -> Refusal | None:
    lines = request.headers.all("max-forwards")
    if not lines:
        return None
    hops = parse_number(lines[0], MAX_FORWARDS)
    if hops is None or len(lines) > 1:
        return Refusal(400, f"Max-Forwards is not one number from 0 to {MAX_FORWARDS}")
    return Refusal(483, REASONS[483]) if forwarding and not hops else None


def _check_extensions(request: Request, supported: Collection[str]) -> Refusal | None:
    """RFC 3261 section 8.2.2.3: not asked of CANCEL, nor of ACK."""
    if "require" not in request.headers or request.method in {"ACK", "CANCEL"}:
        return None
    unknown = [tag for tag in request.headers.values("require") if tag.lower() not in supported]
    return Refusal(420, REASONS[420], (("Unsupported", ", ".join(unknown)),)) if unknown else None


def _check_accept(request: Request, accepted: Collection[str]) -> Refusal | None:
    """An INVITE whose Accept leaves no room for our answer gets 406 (RFC 4475, 3.3.15, leaves it open)."""
    headers = request.headers
    if request.method != "INVITE" or "accept" not in headers or _admits(headers.values("accept"), accepted):
        return None
    return Refusal(406, REASONS[406])


def _check_content(request: Request, accepted: Collection[str]) -> Refusal | None:
    """RFC 3261 section 8.2.3."""
    headers = request.headers
    if not request.body or request.method in {"ACK", "CANCEL"}:
        return None
    if "handling=optional" in headers.get("content-disposition").replace(" ", "").lower():
        return None
    if "content-type" not in headers:
        return Refusal(400, "Missing Content-Type")
    if _media_type(headers.get("content-type")) not in accepted:
        return Refusal(415, REASONS[415], (("Accept", ", ".join(sorted(accepted))),))
    encodings = [coding.lower() for coding in headers.values("content-encoding")]
    if any(coding != "identity" for coding in encodings):
        return Refusal(415, REASONS[415], (("Accept-Encoding", "identity"),))
    return None


def _media_type(value: str) -> str:
    """The type without parameters, lower-case, without spaces around its slash."""
    return "".join(value.partition(";")[0].split()).lower()


def _admits(ranges: list[str], accepted: Collection[str]) -> bool:
    for given in map(_media_type, ranges):
        main = given.removesuffix("*")
        if (
            given == "*/*"
            or given in accepted
            or (main != given and any(kind.startswith(main) for kind in accepted))
        ):
            return True
    return False


def _has_empty_part(line: str) -> bool:
    """Two separators with nothing between them, outside quoted strings (RFC 4475 section 3.1.2.1)."""
    if not _EMPTY_PART.search(line):
        return False
    return _EMPTY_PART.search(_QUOTED.sub("q", line)) is not None


def _one_line(text: str) -> str:
    """Fit for a reason phrase, whatever the peer sent: printable, and short."""
    return "".join(char if char.isprintable() else "?" for char in text)[:120]

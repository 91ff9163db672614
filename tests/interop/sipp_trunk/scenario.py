"""SIPp scenarios with the routine left out: `<invite/>`, `<respond/>` and `<request/>` stand for whole steps.

A file of this folder is a SIPp scenario in which three elements more may stand; `expand` writes them out, and
the result is an ordinary scenario that `sipp -sf` plays. All else is SIPp's own and is not touched.

    <invite [repeat="yes"]/>  receive an INVITE, and keep its headers in variables; again for a repeated one
    <respond status="180 Ringing" [to="request"] [cseq=…] [tag=…] [sdp=…] [send=…]>Header: value</respond>
                              answer the INVITE, or the request that came last with to="request"
    <request method="BYE" cseq="1" [tag=…] [sdp=…] [send=…]>Header: value</request>
                              a request of the callee within the dialog

`sdp` is the direction of an audio description to send ("sendrecv"), `tag` the end of the callee's tag
(another one is another fork), `send` goes into the `<send>` as it is ('retrans="500"').
"""

import re
from collections.abc import Mapping

_ELEMENT = re.compile(r"<(invite|respond|request)\b([^<>]*?)(?:/>|>(.*?)</\1>)", re.DOTALL)
_ATTRIBUTE = re.compile(r'(\w+)="([^"]*)"|(\w+)=\'([^\']*)\'')
_KNOWN = {
    "invite": {"repeat"},
    "respond": {"status", "to", "cseq", "tag", "sdp", "send", "contact"},
    "request": {"method", "cseq", "tag", "sdp", "send"},
}
_KEPT = {"via": "Via:", "from": "From:", "to": "To:", "cseq": "CSeq:"}
CONTACT = "<sip:callee@[local_ip]:[local_port];transport=[transport]>"
TAG = "[pid]x[call_number]x"


def expand(text: str, keys: Mapping[str, str]) -> str:
    """The scenario as SIPp reads it, with the value of each key where "[key]" stands.

    SIPp's own keys come too late: it wants to see the status of a response when it reads the scenario. Raises
    ValueError for an attribute that no element has.
    """
    text = _ELEMENT.sub(_expand_one, text)
    for key, value in keys.items():
        text = text.replace(f"[{key}]", value)
    return text


def _expand_one(found: re.Match[str]) -> str:
    name, inside = found[1], (found[3] or "").strip()
    given = {one[1] or one[3]: one[2] or one[4] or "" for one in _ATTRIBUTE.finditer(found[2])}
    if unknown := given.keys() - _KNOWN[name]:
        raise ValueError(f"<{name}> has no attribute {', '.join(sorted(unknown))}")
    if name == "invite":
        return _invite(again="repeat" in given)
    more = [line.strip() for line in inside.splitlines()]
    return _respond(given, more) if name == "respond" else _request(given, more)


def _invite(*, again: bool) -> str:
    if again:
        return '<recv request="INVITE" crlf="true"/>'
    keep = [
        f'<ereg regexp="[^ ].*" search_in="hdr" header="{header}" check_it="true" assign_to="{variable}"/>'
        for variable, header in _KEPT.items()
    ]
    keep.append(
        '<ereg regexp="sip:[^>]*" search_in="hdr" header="Contact:" check_it="true" assign_to="contact"/>'
    )
    actions = "\n".join(f"    {line}" for line in keep)
    names = ",".join((*_KEPT, "contact"))
    return (
        f'<recv request="INVITE" crlf="true">\n  <action>\n{actions}\n  </action>\n  </recv>'
        f'\n  <Reference variables="{names}"/>'
    )


def _respond(given: dict[str, str], more: list[str]) -> str:
    tag = f";tag={TAG}{given.get('tag', '')}"
    if given.get("to") == "request":
        same = ["[last_Via:]", "[last_From:]", "[last_To:]", "[last_Call-ID:]", "[last_CSeq:]"]
    else:
        to = "To: [$to]" + ("" if given["status"].startswith("100") else tag)
        same = ["Via: [$via]", "From: [$from]", to, "Call-ID: [call_id]", "CSeq: [$cseq]"]
    if "cseq" in given:
        same[-1] = f"CSeq: {given['cseq']}"
    contact = [] if given["status"].startswith("100") else [f"Contact: {given.get('contact', CONTACT)}"]
    return _send([f"SIP/2.0 {given['status']}", *same, *contact, *more], given)


def _request(given: dict[str, str], more: list[str]) -> str:
    method = given["method"]
    lines = [
        f"{method} [$contact] SIP/2.0",
        "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]",
        f"From: [$to];tag={TAG}{given.get('tag', '')}",
        "To: [$from]",
        "Call-ID: [call_id]",
        f"CSeq: {given['cseq']} {method}",
        "Max-Forwards: 70",
        f"Contact: {CONTACT}",
    ]
    return _send([*lines, *more], given)


def _send(lines: list[str], given: dict[str, str]) -> str:
    body = ""
    if direction := given.get("sdp"):
        lines = [*lines, "Content-Type: application/sdp"]
        body = (
            "v=0\no=- 7 7 IN IP4 [local_ip]\ns=-\nc=IN IP4 [media_ip]\nt=0 0\n"
            f"m=audio [media_port] RTP/AVP 0\na=rtpmap:0 PCMU/8000\na={direction}\n"
        )
    options = f" {given['send']}" if "send" in given else ""
    head = "\n".join([*lines, "Content-Length: [len]"])
    return f"<send{options}>\n<![CDATA[\n\n{head}\n\n{body}\n]]>\n  </send>"

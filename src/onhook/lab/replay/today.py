"""The call of today, as the replayed far end knows it: INVITE, dialogs, audio, and messages made for it."""

from collections.abc import Callable

from onhook.effects import Destination
from onhook.lab.audio_steps import Manner
from onhook.lab.far_end_media import Audio
from onhook.lab.replay.adapt import SdpPlace, adapt, place_uri
from onhook.lab.replay.script import Script
from onhook.sip.dialog import Dialog
from onhook.sip.messages import Request, Response, parse
from onhook.sip.reply import reply_to
from onhook.sip.sdp import Unusable, parse_sdp
from onhook.sip.terms import VOICES

SDP = "application/sdp"
Made = tuple[bytes, Destination]
"""A message and where it goes."""


class Today:
    """`name` makes what must be its own: tags, branches, and the Call-ID of a call to `to`."""

    def __init__(
        self,
        script: Script,
        name: str,
        address: tuple[str, int],
        open_media: Callable[[], tuple[str, int]],
        *,
        secret: bytes,
        to: Destination | None,
    ) -> None:
        self.name = name
        self._address, self._to = address, to
        self.audio = Audio(open_media, 1, _manner(script), secret)
        self.invite: Request | None = None
        """The one of the caller, whoever that is; with new credentials a later one takes its place."""
        self.answered = self.refused = False
        self._script = script
        self._dialogs: dict[str, Dialog] = {}
        """By the far end's own tag, as it was recorded."""
        self._refusal_tag = ""

    def tag(self, recorded: str) -> str:
        return f"{recorded}.{self.name}"

    # What came

    def take_invite(self, invite: Request) -> None:
        """One that begins the call, or begins it again with credentials."""
        self.invite = invite

    def take_response(self, response: Response, source: Destination) -> None:
        """A response of our side to the far end's INVITE."""
        invite = self.invite
        if invite is None or response.cseq is None or response.cseq.method != "INVITE":
            return
        first = not self.answered and not self.refused
        if first and response.to_tag and 100 < response.status < 300:
            self._dialogs[invite.from_tag.removesuffix(f".{self.name}")] = Dialog.of_client(
                invite, response, source
            )
        if first and response.status >= 300:
            self.refused, self._refusal_tag = True, response.to_tag
        elif response.status >= 200:
            self.answered = self.answered or response.status < 300
        if response.body and response.status < 300:
            self.audio.take_answer(response.body)

    # What is made

    def response(self, data: bytes, recorded: Response, request: Request, source: Destination) -> Made:
        """A recorded response, as one to `request`."""
        values = {key: request.headers.all(key) for key in ("via", "from", "to", "call-id", "cseq")}
        begins = request.method == "INVITE" and not request.to_tag
        if recorded.to_tag and not request.to_tag:
            values["to"] = [f"{request.headers.get('to')};tag={self.tag(recorded.to_tag)}"]
        early_or_answer = 100 < recorded.status < 300
        values["record-route"] = request.headers.all("record-route") if begins and early_or_answer else []
        values |= self._contact(recorded, source.transport)
        sdp = self._place(request.body) if _is_sdp(recorded) else None
        if begins:
            self._note_final(recorded, request, source)
        return adapt(data, values, sdp=sdp), reply_to(request, source)

    def _note_final(self, recorded: Response, request: Request, source: Destination) -> None:
        if recorded.to_tag and 100 < recorded.status < 300 and recorded.to_tag not in self._dialogs:
            made = Dialog.of_server(request, self.tag(recorded.to_tag), source)
            self._dialogs[recorded.to_tag] = made
        self.answered = self.answered or 200 <= recorded.status < 300
        self.refused = self.refused or (recorded.status >= 300 and not asks_again(recorded))

    def dial(self, data: bytes, recorded: Request) -> Made:
        """A recorded INVITE, as one that begins a call now."""
        to = self._peer
        recorded_from, tag = recorded.headers.get("from"), recorded.from_tag
        values = {
            "via": [self._via(recorded, to.transport)],
            "from": [recorded_from.replace(f"tag={tag}", f"tag={self.tag(tag)}")],
            "call-id": [f"{recorded.call_id}-{self.name}"],
            "record-route": [],
            "route": [],
        }
        values |= self._contact(recorded, to.transport)
        sdp = self._place(b"") if _is_sdp(recorded) else None
        uri = self._dialled(place_uri(recorded.uri, to.host, to.port))
        values["to"] = [self._dialled(recorded.headers.get("to"))]
        made = adapt(data, values, start_line=f"INVITE {uri} SIP/2.0", sdp=sdp)
        read = parse(made)
        if isinstance(read, Request) and (self.invite is None or self.invite.branch != read.branch):
            self.invite = read
        return made, to

    def _dialled(self, value: str) -> str:
        """With the other number, if there is one."""
        instead = self._script.dial_instead
        return value.replace(self._script.number.lstrip("+"), instead.lstrip("+"), 1) if instead else value

    def request(self, data: bytes, recorded: Request) -> Made | None:
        """A recorded request within the call; None if the call of today has no such dialog."""
        if recorded.method == "CANCEL" or (recorded.method == "ACK" and self.refused):
            return self._of_transaction(data, recorded) if self.invite else None
        dialog = self._dialogs.get(recorded.from_tag)
        if dialog is None:
            return None
        made = dialog.request(recorded.method, cseq=recorded.cseq.number if recorded.cseq else 1)
        to = dialog.next_hop
        values = {key: made.headers.all(key) for key in ("from", "to", "call-id", "cseq", "route")}
        values |= {"via": [self._via(recorded, to.transport)], "record-route": []}
        values |= self._contact(recorded, to.transport)
        sdp = self._place(b"") if _is_sdp(recorded) else None
        start = f"{recorded.method} {made.uri} SIP/2.0"
        return adapt(data, values, start_line=start, sdp=sdp), to

    def _of_transaction(self, data: bytes, recorded: Request) -> Made:
        """CANCEL, and ACK of a refusal: they are the INVITE's own (RFC 3261 sections 9.1 and 17.1.1.3)."""
        assert self.invite is not None
        invite = self.invite
        values = {key: invite.headers.all(key)[:1] for key in ("via", "from", "to", "call-id")}
        if recorded.method == "ACK" and self._refusal_tag:
            values["to"] = [f"{invite.headers.get('to')};tag={self._refusal_tag}"]
        number = invite.cseq.number if invite.cseq else 1
        values |= {"cseq": [f"{number} {recorded.method}"], "record-route": [], "route": []}
        return adapt(data, values, start_line=f"{recorded.method} {invite.uri} SIP/2.0"), self._peer

    def own_request(self, method: str) -> Made | None:
        """One that was not recorded: ACK or BYE, so that a call which goes another way can end."""
        if self.invite is None:
            return None
        cseq = self.invite.cseq.number if self.invite.cseq else 1
        via = f"SIP/2.0/{{}} {self._where};rport;branch=z9hG4bK{self.name}-{method}"
        if method == "ACK" and self.refused:
            bare = f"ACK {self.invite.uri} SIP/2.0\r\nVia: x\r\nFrom: x\r\nTo: x\r\nCall-ID: x\r\nCSeq: 1 ACK"
            data = f"{bare}\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n".encode()
            return self._of_transaction(data, Request("ACK", self.invite.uri))
        dialog = next(iter(self._dialogs.values()), None)
        if dialog is None:
            return None
        to = dialog.next_hop
        number = cseq if method == "ACK" else cseq + 1_000
        made = dialog.request(method, cseq=number, via=via.format(to.transport.upper()))
        return made.to_bytes(), to

    @property
    def local_tag(self) -> str:
        return next((dialog.local_tag for dialog in self._dialogs.values()), self.name)

    # Parts

    @property
    def _peer(self) -> Destination:
        assert self._to is not None, "a call that the far end places has a destination"
        return self._to

    @property
    def _where(self) -> str:
        host, port = self._address
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def _via(self, recorded: Request, transport: str) -> str:
        branch = f"{recorded.branch or 'z9hG4bK'}.{self.name}"
        return f"SIP/2.0/{transport.upper()} {self._where};rport;branch={branch}"

    def _contact(self, recorded: Request | Response, transport: str) -> dict[str, list[str]]:
        """Where the far end is reached today; a redirection (3xx) names others, and stays."""
        contacts = recorded.headers.all("contact")
        if not contacts or (isinstance(recorded, Response) and 300 <= recorded.status < 400):
            return {}
        return {"contact": [place_uri(each, *self._address, transport) for each in contacts]}

    def _place(self, offer: bytes) -> SdpPlace | None:
        """Where the far end receives RTP, agreed on with `offer`; b"" if it offers itself."""
        own = self.audio.answer(offer)
        described = parse_sdp(own) if own else None
        if described is None or isinstance(described, Unusable) or not described.media:
            return None
        media = described.media[0]
        connection = described.connection_of(media)
        crypto = tuple(line for line in media.lines if line.startswith("a=crypto:"))
        return SdpPlace(connection.host if connection else self._address[0], media.port, crypto)


def asks_again(response: Response) -> bool:
    """Does an INVITE with credentials follow?"""
    return response.status in {401, 407}


def _is_sdp(message: Request | Response) -> bool:
    return bool(message.body) and message.headers.get("content-type", SDP).lower().startswith(SDP)


def _manner(script: Script) -> Manner:
    """Speak what was spoken then, if we can."""
    for event in script.events:
        message = parse(event.data) if event.data and not event.raw else None
        if isinstance(message, Request | Response) and _is_sdp(message):
            described = parse_sdp(message.body)
            if isinstance(described, Unusable) or not described.media:
                continue
            names = tuple(codec.name for codec in described.media[0].codecs if codec.name in VOICES)
            return Manner(names)
    return Manner()

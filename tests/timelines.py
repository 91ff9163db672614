"""Timelines written by hand, for tests: a `Story` tells what happened, second by second."""

from typing import Any, Literal, Self

from onhook.facts import (
    ApiRequested,
    CallArrived,
    ConnectionJoined,
    ConnectionLeft,
    Dismissal,
    DoorRefusal,
    EventAttempted,
    Fact,
    FaultRaised,
    GridAttempted,
    GridListener,
    GridUnheard,
    InboundRefused,
    IncomingCallAnnounced,
    LegDismissed,
    MediaMeasured,
    Refusal,
    RelayFailed,
    RouteRefused,
    RouteTaken,
    RtpResumed,
    RtpStopped,
    ServerRestarted,
    SipSeen,
    SipUnreadable,
    Timeline,
    TimerFired,
    TransportFailed,
    UserLegCause,
    UserLegChanged,
    UserLegState,
)

START = 1_800_000_000.0
PEER = "192.0.2.20:5060"
OFFER = (
    "v=0\r\no=onhook 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
    "m=audio 40000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
    "a=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
)
ANSWER = (
    "v=0\r\no=carrier 7 7 IN IP4 192.0.2.20\r\ns=-\r\nc=IN IP4 192.0.2.20\r\nt=0 0\r\n"
    "m=audio 50000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n"
)
ANNA, BERT = "8:acs:res_anna01", "8:acs:res_bert02"
FIRST, SECOND = "connection-1", "connection-2"
US_TAG, THEIR_TAG = "us1", "them1"
Way = Literal["sent", "received"]


def leg_of(user: str) -> str:
    return f"leg-{user[-6:]}" if user else ""


class Story:
    """Each step adds one fact, `wait` lets time pass. `facts` is the timeline."""

    def __init__(self, leg: str = "carrier", *, inbound: bool = False) -> None:
        self.facts: Timeline = []
        self.now = START
        self.leg = leg
        self.inbound = inbound
        self.cseq = 1

    def wait(self, seconds: float) -> Self:
        self.now += seconds
        return self

    def add(self, fact: Fact) -> Self:
        self.facts.append(fact)
        self.now += 0.001
        return self

    # SIP

    def sip(self, way: Way, start: str, cseq: str, *headers: str, tag: str = "", body: str = "") -> Self:
        lines = [
            start,
            "Via: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKa1;rport",
            "Max-Forwards: 70",
            f"From: <sip:+14255550100@192.0.2.1;user=phone>;tag={US_TAG}",
            f"To: <sip:+14255550200@192.0.2.20;user=phone>{f';tag={tag}' if tag else ''}",
            "Call-ID: a1@192.0.2.1",
            f"CSeq: {cseq}",
            *headers,
            f"Content-Length: {len(body)}",
        ]
        message = ("\r\n".join(lines) + "\r\n\r\n" + body).encode()
        return self.add(
            SipSeen(at=self.now, leg=self.leg, direction=way, transport="udp", peer=PEER, message=message)
        )

    @property
    def _ours(self) -> Way:
        return "received" if self.inbound else "sent"

    @property
    def _theirs(self) -> Way:
        return "sent" if self.inbound else "received"

    def invite(self, *headers: str, tag: str = "", way: Way | None = None) -> Self:
        """The INVITE of the call: sent by us, or received if the story is inbound."""
        uri = "sip:+14255550200@192.0.2.20;user=phone"
        start, cseq = f"INVITE {uri} SIP/2.0", f"{self.cseq} INVITE"
        return self.sip(way or self._ours, start, cseq, *headers, tag=tag, body=OFFER)

    def response(self, status: int, phrase: str, *headers: str, tag: str = THEIR_TAG, body: str = "") -> Self:
        """A response to the INVITE, from whoever was called."""
        cseq = f"{self.cseq} INVITE"
        return self.sip(self._theirs, f"SIP/2.0 {status} {phrase}", cseq, *headers, tag=tag, body=body)

    def trying(self) -> Self:
        return self.response(100, "Trying", tag="")

    def ringing(self) -> Self:
        return self.wait(0.2).response(180, "Ringing")

    def answer(self, *, tag: str = THEIR_TAG, body: str = ANSWER) -> Self:
        return self.response(200, "OK", tag=tag, body=body)

    def ack(self) -> Self:
        return self.sip(self._ours, "ACK sip:carrier@192.0.2.20 SIP/2.0", f"{self.cseq} ACK", tag=THEIR_TAG)

    def cancel(self, *, way: Way | None = None) -> Self:
        reason = 'Reason: Q.850;cause=16;text="Normal call clearing"'
        start = "CANCEL sip:+14255550200@192.0.2.20;user=phone SIP/2.0"
        return self.sip(way or self._ours, start, f"{self.cseq} CANCEL", reason)

    def cancel_ok(self) -> Self:
        return self.sip(self._theirs, "SIP/2.0 200 OK", f"{self.cseq} CANCEL", tag=THEIR_TAG)

    def bye(self, way: Way, *headers: str, tag: str = THEIR_TAG) -> Self:
        start = "BYE sip:onhook@192.0.2.1 SIP/2.0"
        return self.sip(way, start, f"{self.cseq + 1} BYE", *headers, tag=tag)

    def bye_ok(self, way: Way) -> Self:
        return self.sip(way, "SIP/2.0 200 OK", f"{self.cseq + 1} BYE", tag=THEIR_TAG)

    def up(self) -> Self:
        """Offered, rang, answered, acknowledged."""
        return self.invite().trying().ringing().wait(2).answer().ack()

    def busy(self, *headers: str) -> Self:
        return self.invite().trying().ringing().response(486, "Busy Here", *headers).ack()

    # The rest

    def raw(self, data: bytes, way: Way = "received") -> Self:
        seen = SipSeen(at=self.now, leg=self.leg, direction=way, transport="udp", peer=PEER, message=data)
        return self.add(seen)

    def garbage(self, data: bytes = b"\x00\x01not sip") -> Self:
        why = "start line '\\x00\\x01not sip'"
        return self.add(
            SipUnreadable(at=self.now, leg=self.leg, transport="udp", peer=PEER, data=data, why=why)
        )

    def timer(self, name: str, after_seconds: float) -> Self:
        return self.add(TimerFired(at=self.now, leg=self.leg, name=name, after_seconds=after_seconds))

    def fails(self, error: str, transport: str = "tcp") -> Self:
        return self.add(
            TransportFailed(at=self.now, leg=self.leg, transport=transport, peer=PEER, error=error)
        )

    def api(
        self, operation: str, status: int = 204, detail: str = "", connection: str = "", leg: str = ""
    ) -> Self:
        return self.add(
            ApiRequested(
                at=self.now,
                leg=leg,
                operation=operation,
                status=status,
                detail=detail,
                connection=connection,
            )
        )

    def created(self) -> Self:
        return self.api("createCall", 201)

    def routed(self, trunk: str = "carrier", number: str = "+14255550200") -> Self:
        return self.add(RouteTaken(at=self.now, leg=self.leg, number=number, trunk=trunk, pattern=r"\+.*"))

    def refused(self, why: Refusal, detail: str = "", number: str = "+14255550200") -> Self:
        return self.add(RouteRefused(at=self.now, number=number, why=why, detail=detail))

    # Calls that come in, users, connections

    def arrived(self, number: str = "+14255550100") -> Self:
        caller = "+14255550200"
        return self.add(
            CallArrived(
                at=self.now, leg=self.leg, number=number, caller=caller, trunk="carrier", resource="dev"
            )
        )

    def door(self, why: DoorRefusal, status: int, detail: str = "") -> Self:
        return self.add(
            InboundRefused(
                at=self.now,
                leg=self.leg,
                why=why,
                status=status,
                number="+14255550999",
                trunk="carrier",
                detail=detail,
            )
        )

    def announced(self, callee: str = "4:+14255550100") -> Self:
        caller = "4:+14255550200"
        return self.add(
            IncomingCallAnnounced(
                at=self.now, leg=self.leg, resource="dev", caller=caller, callee=callee, event_id="grid-1"
            )
        )

    def heard(self, status: int | None = 200, *, event: str = "grid-1") -> Self:
        return self.add(
            GridAttempted(
                at=self.now,
                event_id=event,
                event_type="Microsoft.Communication.IncomingCall",
                subscription="app",
                endpoint="https://app.example/incoming",
                attempt=1,
                status=status,
                elapsed_ms=3.0,
                fate="delivered" if status == 200 else "retry",
                error="" if status else "refused: nobody listens",
            )
        )

    def unheard(self, *listeners: GridListener) -> Self:
        return self.add(
            GridUnheard(
                at=self.now,
                event_id="grid-1",
                event_type="Microsoft.Communication.IncomingCall",
                resource="dev",
                listeners=listeners,
            )
        )

    def user(self, user: str, state: UserLegState, why: UserLegCause = "") -> Self:
        return self.add(UserLegChanged(at=self.now, leg=leg_of(user), user=user, state=state, why=why))

    def rings(self, user: str) -> Self:
        return self.user(user, "ringing").announced(user)

    def takes(self, user: str, connection: str) -> Self:
        """The application of `user` answers."""
        self.api("answerCall", 200, leg=leg_of(user)).user(user, "connected")
        return self.joined(connection, "answerCall", user)

    def declines(self, user: str, why: UserLegCause = "none") -> Self:
        return self.api("rejectCall", 204, why, leg=leg_of(user)).user(user, "rejected", why)

    def ring_timer(self, user: str) -> Self:
        self.wait(30)
        timer = TimerFired(at=self.now, leg=leg_of(user), name="ring", after_seconds=30)
        return self.add(timer).user(user, "ended", "rang-out")

    def joined(self, connection: str, operation: str, user: str = "") -> Self:
        return self.add(
            ConnectionJoined(
                at=self.now, leg=leg_of(user), connection=connection, operation=operation, user=user
            )
        )

    def left(self, connection: str, why: UserLegCause = "hung-up") -> Self:
        return self.add(ConnectionLeft(at=self.now, connection=connection, why=why))

    def dismissed(self, why: Dismissal) -> Self:
        return self.add(LegDismissed(at=self.now, leg=self.leg, why=why))

    def media(
        self, *, sent: int = 100, received: int = 100, last: float | None = None, **counts: Any
    ) -> Self:
        first = START if received else None
        return self.add(
            MediaMeasured(
                at=self.now,
                leg=self.leg,
                sent=sent,
                received=received,
                first_received_at=first,
                last_received_at=last,
                codec="PCMU",
                **counts,
            )
        )

    def rtp_stops(self, *, sent: int = 500, received: int = 0, after: float = 10.0) -> Self:
        """No RTP for `after` seconds."""
        self.wait(after)
        return self.add(
            RtpStopped(at=self.now, leg=self.leg, silent_seconds=after, received=received, sent=sent)
        )

    def rtp_resumes(self, after: float = 20.0) -> Self:
        return self.add(RtpResumed(at=self.now, leg=self.leg, silent_seconds=after))

    def relay_fails(self, why: str = "does not answer") -> Self:
        return self.add(RelayFailed(at=self.now, leg=self.leg, engine="127.0.0.1:22222", why=why))

    def given_up(self) -> Self:
        """Our side ends the call, as no RTP comes."""
        return self.wait(290).timer("no-rtp", 300).bye("sent").bye_ok("received")

    def delivery(
        self, status: int | None = 200, *, event: str = "e1", attempt: int = 1, error: str = ""
    ) -> Self:
        return self.add(
            EventAttempted(
                at=self.now,
                event_id=event,
                event_type="CallDisconnected",
                uri="https://app.example/events",
                attempt=attempt,
                status=status,
                elapsed_ms=3.0,
                error=error,
            )
        )

    def restart(self, gone_seconds: float = 4.0) -> Self:
        last = self.now
        return self.wait(gone_seconds).add(ServerRestarted(at=self.now, last_seen_at=last))

    def fault(self) -> Self:
        text = 'Traceback (most recent call last):\n  File "call.py", line 1\nValueError: no such leg\n'
        return self.add(FaultRaised(at=self.now, where="calls.call", traceback=text))


def begun(leg: str = "carrier") -> Story:
    """A call that was asked for and routed."""
    return Story(leg).created().routed()


def incoming(leg: str = "carrier") -> Story:
    """A call came in for a number of ours, and was announced to the application."""
    return Story(leg, inbound=True).invite().arrived().trying().announced().ringing()


def answered() -> Story:
    """A call that came in, and an application that took it."""
    story = incoming().heard().api("answerCall", 200, connection=FIRST).answer().ack()
    return story.joined(FIRST, "answerCall")


def between_users() -> Story:
    """An application calls a user, for whom another one answers."""
    return Story().created().rings(ANNA).heard().takes(ANNA, SECOND)


def redirected(number: str = "+14255550300") -> Story:
    """A call that came in and was redirected to a phone; the steps that follow are those of its leg."""
    story = incoming().heard().api("redirectCall", 204, f"4:{number}")
    story.leg, story.inbound = "onward", False
    return story.routed(number=number).invite()


def back(story: Story) -> Story:
    """From here on the steps are those of the leg that came in."""
    story.leg, story.inbound = "carrier", True
    return story


def refusal(status: int, phrase: str, *headers: str) -> Timeline:
    return begun().invite().trying().response(status, phrase, *headers).ack().facts


def _routing(why: Refusal) -> Timeline:
    return Story().created().refused(why, f"because of {why}").facts


def _lost_ack() -> Timeline:
    story = begun().up()
    for _ in range(6):
        story.wait(4).answer().ack()
    return story.wait(4).bye("received").bye_ok("sent").facts


SAMPLES: dict[str, Timeline] = {
    "server-fault": begun().invite().ringing().fault().cancel().facts,
    "server-restarted": begun().up().restart().facts,
    "number-invalid": _routing("number-invalid"),
    "number-unknown": _routing("number-unknown"),
    "caller-id-missing": _routing("caller-id-missing"),
    "caller-id-not-owned": _routing("caller-id-not-owned"),
    "no-route": _routing("no-route"),
    "no-trunk": _routing("no-trunk"),
    "trunk-full": _routing("trunk-full"),
    "caller-id-full": _routing("caller-id-full"),
    "trunk-too-fast": _routing("trunk-too-fast"),
    "trunk-resting": _routing("trunk-resting"),
    "inbound-number-unknown": (
        Story(inbound=True)
        .invite()
        .door("number-unknown", 404, "no resource owns +14255550999")
        .response(404, "Not Found")
        .ack()
        .facts
    ),
    "transferred": (
        answered()
        .wait(5)
        .api("transferToParticipant", 202, connection=FIRST)
        .wait(2)
        .left(FIRST, "transferred")
        .bye("sent")
        .facts
    ),
    "removed-from-call": (
        between_users().wait(5).api("removeParticipant", 202, connection=SECOND).left("", "removed").facts
    ),
    "left-alone": between_users().wait(5).api("hangupCall", connection=SECOND).left(SECOND).facts,
    "caller-unreachable": incoming().heard().wait(2).fails("reset: connection reset").facts,
    "inbound-nobody-heard": (
        incoming().unheard().wait(30).timer("ring", 30).response(480, "Temporarily Unavailable").ack().facts
    ),
    "inbound-unanswered": (
        incoming().heard().wait(30).timer("ring", 30).response(480, "Temporarily Unavailable").ack().facts
    ),
    "rejected-by-app": incoming().heard().api("rejectCall", 204).response(603, "Decline").ack().facts,
    "forbidden-by-app": (
        incoming().heard().api("rejectCall", 204, "forbidden").response(403, "Forbidden").ack().facts
    ),
    "redirected-by-app": (
        back(redirected().trying().response(404, "Not Found").ack()).response(404, "Not Found").ack().facts
    ),
    "user-declined": Story().created().rings(ANNA).heard().declines(ANNA).facts,
    "user-not-registered": (Story().created().rings(ANNA).unheard().ring_timer(ANNA).facts),
    "user-rang-out": Story().created().rings(ANNA).heard().ring_timer(ANNA).facts,
    "cancel-crossed-answer": (
        begun().invite().ringing().api("hangUp").cancel().answer().ack().bye("sent").cancel_ok().facts
    ),
    "caller-cancel-crossed-answer": (
        Story(inbound=True).invite().ringing().answer().cancel().cancel_ok().facts
    ),
    "call-too-long": begun().up().wait(60).timer("duration", 60).bye("sent").bye_ok("received").facts,
    "hung-up-by-app": begun().up().wait(2).api("hangUp").bye("sent").bye_ok("received").facts,
    "ack-lost": _lost_ack(),
    "media-relay-failed": (
        begun().up().relay_fails().wait(8).bye("received").bye_ok("sent").media(sent=0, received=0).facts
    ),
    "srtp-mismatch": (
        begun().up().wait(8).bye("received").bye_ok("sent").media(received=0, undecipherable=398).facts
    ),
    "codec-not-agreed": (
        Story(inbound=True)
        .up()
        .wait(8)
        .bye("received")
        .bye_ok("sent")
        .media(received=0, wrong_codec=398, wrong_types=(18,))
        .facts
    ),
    "one-way-audio": (
        begun().up().wait(8).bye("received").bye_ok("sent").media(received=400, far_lost=97).facts
    ),
    "no-rtp-ever": begun().up().rtp_stops().given_up().media(sent=15000, received=0).facts,
    "rtp-stopped": (
        begun()
        .up()
        .wait(30)
        .rtp_stops(received=1500, sent=2000)
        .given_up()
        .media(sent=16500, received=1500)
        .facts
    ),
    "hung-up-by-network": begun().up().bye("received", "Reason: Q.850;cause=38").bye_ok("sent").facts,
    "hung-up-by-phone": begun().up().wait(2).bye("received").bye_ok("sent").facts,
    "caller-hung-up": Story(inbound=True).up().wait(2).bye("received").bye_ok("sent").facts,
    "answer-unacknowledged": (
        Story(inbound=True).invite().ringing().answer().wait(32).timer("ACK", 32).bye("sent").facts
    ),
    "session-expired": (
        begun().up().wait(60).timer("session-expires", 90).bye("sent").bye_ok("received").facts
    ),
    "answer-unusable": begun().invite().ringing().answer(body="v=0\r\nnonsense").ack().bye("sent").facts,
    "ended-locally": begun().up().bye("sent").bye_ok("received").facts,
    "caller-gave-up": (
        Story(inbound=True).invite().ringing().cancel().response(487, "Request Terminated").facts
    ),
    "inbound-busy": Story(inbound=True).invite().response(486, "Busy Here").facts,
    "inbound-refused": Story(inbound=True).invite().response(415, "Unsupported Media Type").facts,
    "cancelled-by-app": (
        begun()
        .invite()
        .ringing()
        .api("hangUp")
        .cancel()
        .cancel_ok()
        .response(487, "Request Terminated")
        .ack()
        .facts
    ),
    "malformed-answer": begun().invite().garbage().wait(10).timer("no-response", 10).facts,
    "rang-out": (
        begun()
        .invite()
        .ringing()
        .wait(115)
        .timer("setup", 115)
        .cancel()
        .cancel_ok()
        .response(487, "Request Terminated")
        .ack()
        .facts
    ),
    "trunk-stalled": (
        begun()
        .invite()
        .trying()
        .wait(115)
        .timer("setup", 115)
        .cancel()
        .response(487, "Request Terminated")
        .ack()
        .facts
    ),
    "trunk-name-unknown": begun().invite().fails("name-unknown: sbc.example").facts,
    "trunk-certificate-expired": begun().invite().fails("certificate-expired: certificate has expired").facts,
    "trunk-certificate-untrusted": begun()
    .invite()
    .fails("certificate-untrusted: self-signed certificate")
    .facts,
    "trunk-certificate-name": begun().invite().fails("certificate-name: of other.example").facts,
    "trunk-refused-certificate": begun().invite().fails("certificate-refused: unknown ca").facts,
    "trunk-tls-failed": begun().invite().fails("tls: it speaks no TLS").facts,
    "trunk-unreachable": begun().invite().fails("refused: nobody listens").facts,
    "trunk-silent": begun().invite().wait(0.5).invite().wait(9.5).timer("no-response", 10).facts,
    "trunk-refused-credentials": refusal(407, "Proxy Authentication Required"),
    "callee-busy": refusal(486, "Busy Here"),
    "callee-declined": refusal(603, "Decline"),
    "call-forbidden": refusal(403, "Forbidden"),
    "number-not-found": refusal(404, "Not Found"),
    "callee-no-response": refusal(408, "Request Timeout"),
    "callee-unavailable": refusal(480, "Temporarily Unavailable"),
    "number-incomplete": refusal(484, "Address Incomplete"),
    "cancelled-by-trunk": refusal(487, "Request Terminated"),
    "media-refused": refusal(488, "Not Acceptable Here"),
    "trunk-failed": refusal(500, "Server Internal Error"),
    "trunk-unavailable": refusal(503, "Service Unavailable"),
    "busy-everywhere": refusal(600, "Busy Everywhere"),
    "redirected": refusal(302, "Moved Temporarily"),
    "trunk-client-error": refusal(410, "Gone"),
    "trunk-server-error": refusal(502, "Bad Gateway"),
    "trunk-global-failure": refusal(604, "Does Not Exist Anywhere"),
}
"""One timeline for every rule, by the id of its ending."""

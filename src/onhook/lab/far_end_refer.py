"""A far end that is asked to call somebody else (REFER): it refuses, agrees and reports, or keeps silent.

The call to the target is only told of, in NOTIFYs (RFC 3515); it is not made.
"""

from onhook.effects import Destination
from onhook.lab.scenario_steps import Refer
from onhook.machine import Outputs
from onhook.sip.dialog import Dialog
from onhook.sip.messages import REASONS, Request, Response, respond
from onhook.sip.non_invite_client import NonInviteClient
from onhook.sip.non_invite_server import NonInviteServer
from onhook.sip.reply import mark_source, reply_to

STEP_SECONDS = 1.0
"""Between two reports."""
MAX_REFERS = 8
"""REFERs of one call that get an answer."""
REPORTS: dict[str, tuple[int, ...]] = {"accepted": (100, 180, 200), "target": (100,), "silent": (100,)}
LEAVES = "bye"


class Referee:
    """`address` goes into Via and Contact; `name` makes branches."""

    def __init__(self, step: Refer, name: str, address: tuple[str, int]) -> None:
        self.step, self.name, self.address = step, name, address
        self.asked: list[str] = []
        """Refer-To of each REFER, in order."""
        self.leaves_at: float | None = None
        """When it hangs up, without a word of the target."""
        self._servers: dict[str, NonInviteServer] = {}
        self._notifies: dict[str, NonInviteClient] = {}
        self._reports: list[tuple[float, int]] = []
        self._dialog: Dialog | None = None
        self._event = ""

    def receive(self, refer: Request, source: Destination, dialog: Dialog | None, now: float) -> Outputs:
        known = self._servers.get(refer.branch)
        if known is not None:
            return known.receive(refer, now)
        if self.step.how == "ignored" or len(self._servers) >= MAX_REFERS:
            return []
        mark_source(refer, source)
        server = NonInviteServer("", refer, reply_to(refer, source), now)
        self._servers[refer.branch] = server
        if dialog is None or not dialog.matches(refer) or not dialog.in_order(refer):
            return server.respond(respond(refer, 481), now)
        if self.step.how == "refused":
            return server.respond(respond(refer, self.step.status), now)
        self.asked.append(refer.headers.get("refer-to"))
        self._dialog = dialog
        self._event = f"refer;id={refer.cseq.number if refer.cseq else 0}"
        statuses = REPORTS.get(self.step.how, ())
        if self.step.how == "target":
            statuses = (*statuses, self.step.status)
        self._reports = [(now + place * STEP_SECONDS, status) for place, status in enumerate(statuses)]
        if self.step.how == LEAVES:
            self.leaves_at = now + STEP_SECONDS
        outputs = server.respond(respond(refer, 202), now)
        return outputs + self._report(now)

    def receive_response(self, response: Response, now: float) -> Outputs:
        sent = self._notifies.get(response.branch)
        return sent.receive(response, now) if sent else []

    @property
    def _transactions(self) -> list[NonInviteServer | NonInviteClient]:
        return [*self._servers.values(), *self._notifies.values()]

    @property
    def deadline(self) -> float | None:
        times = [made.deadline for made in self._transactions]
        times += [at for at, _ in self._reports[:1]]
        times.append(self.leaves_at)
        return min((at for at in times if at is not None), default=None)

    def handle_timeout(self, now: float) -> Outputs:
        outputs: Outputs = []
        for made in self._transactions:
            outputs += made.handle_timeout(now)
        return outputs + self._report(now)

    def stop(self) -> None:
        """The call is over: nothing more is reported."""
        self._reports, self.leaves_at = [], None

    def _report(self, now: float) -> Outputs:
        outputs: Outputs = []
        while self._reports and self._reports[0][0] <= now:
            _, status = self._reports.pop(0)
            outputs += self._notify(status, now)
        return outputs

    def _notify(self, status: int, now: float) -> Outputs:
        assert self._dialog is not None
        dialog, (host, port) = self._dialog, self.address
        to = dialog.next_hop
        branch = f"z9hG4bK{self.name}n{dialog.local_cseq + 1}"
        via = f"SIP/2.0/{to.transport.upper()} {host}:{port};rport;branch={branch}"
        notify = dialog.request("NOTIFY", via=via)
        last = status >= 200
        notify.headers.add("contact", f"<sip:{host}:{port}>")
        notify.headers.add("event", self._event)
        state = "terminated;reason=noresource" if last else "active;expires=60"
        notify.headers.add("subscription-state", state)
        notify.headers.add("content-type", "message/sipfrag;version=2.0")
        notify.body = f"SIP/2.0 {status} {REASONS.get(status, '')}\r\n".encode()
        transaction = NonInviteClient("", notify, to, now)
        self._notifies[branch] = transaction
        return transaction.start()

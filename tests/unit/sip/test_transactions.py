"""RFC 3261 section 17 and RFC 6026: the four transactions, row by row, on both kinds of transport."""

from collections.abc import Callable
from typing import Any

import pytest

from onhook.effects import Destination, Transmit
from onhook.machine import Outputs, UnexpectedInput
from onhook.sip.invite_client import InviteClient
from onhook.sip.invite_server import InviteServer
from onhook.sip.messages import Headers, Request, Response, parse, respond
from onhook.sip.non_invite_client import NonInviteClient
from onhook.sip.non_invite_server import NonInviteServer
from playbook import Playbook

UDP, TCP = Destination("udp", "192.0.2.2", 5060), Destination("tcp", "192.0.2.2", 5060)


def request(method: str) -> Request:
    return Request(
        method,
        "sip:+1425@192.0.2.2",
        Headers.of(
            ("via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa"),
            ("max-forwards", "70"),
            ("route", "<sip:proxy.example;lr>"),
            ("from", "<sip:a@192.0.2.1>;tag=f"),
            ("to", "<sip:+1425@192.0.2.2>"),
            ("call-id", "c"),
            ("cseq", f"7 {method}"),
        ),
    )


def answer(method: str, status: int) -> Response:
    return respond(request(method), status, to_tag="t")


def sent(outputs: Outputs) -> list[Request | Response]:
    messages = [parse(output.data) for output in outputs if isinstance(output, Transmit)]
    return [message for message in messages if isinstance(message, Request | Response)]


class Timed:
    """A transaction with a clock: `at` moves it, and runs what is due."""

    def __init__(self, made: Any) -> None:
        self.made, self.now = made, 0.0

    def receives(self, message: Request | Response) -> Callable[[], Outputs]:
        return lambda: list(self.made.receive(message, self.now))

    def sends(self, response: Response) -> Callable[[], Outputs]:
        return lambda: self.made.respond(response, self.now)

    def at(self, now: float) -> Callable[[], Outputs]:
        def run() -> Outputs:
            self.now = now
            return list(self.made.handle_timeout(now))

        return run

    def breaks(self, error: str) -> Callable[[], Outputs]:
        return lambda: self.made.fail(error, self.now)


def invite_client(to: Destination = UDP) -> Timed:
    return Timed(InviteClient("leg", request("INVITE"), to, 0.0))


def other_client(to: Destination = UDP) -> Timed:
    return Timed(NonInviteClient("leg", request("BYE"), to, 0.0))


def invite_server(to: Destination = UDP) -> Timed:
    return Timed(InviteServer("leg", request("INVITE"), to, 0.0))


def other_server(to: Destination = UDP) -> Timed:
    return Timed(NonInviteServer("leg", request("BYE"), to, 0.0))


# INVITE client: section 17.1.1


def test_an_invite_is_repeated_doubling_until_timer_b() -> None:
    t = invite_client()
    assert Playbook(t.made.start()) << "INVITE"
    for due in (0.5, 1.5, 3.5, 7.5, 15.5, 31.5):
        assert t.made.deadline == due
        assert Playbook() >> t.at(due) << "INVITE"
    assert Playbook() >> t.at(32.0) << "timer B" << "TimedOut B"
    assert t.made.terminated
    assert t.made.deadline is None


def test_over_a_reliable_transport_an_invite_is_sent_once() -> None:
    t = invite_client(TCP)
    assert Playbook(t.made.start()) << "INVITE"
    assert t.made.deadline == 32.0
    assert Playbook() >> t.at(32.0) << "timer B" << "TimedOut B"


def test_a_provisional_response_stops_repeating_and_waits_for_ever() -> None:
    t = invite_client()
    assert Playbook(t.made.start()) << "INVITE"
    assert Playbook() >> t.receives(answer("INVITE", 100)) << "Provisional 100"
    assert t.made.deadline is None
    assert Playbook() >> t.receives(answer("INVITE", 180)) << "Provisional 180"


@pytest.mark.parametrize("after_ringing", [False, True])
def test_every_success_is_passed_up_until_timer_m(*, after_ringing: bool) -> None:
    t = invite_client()
    play = Playbook(t.made.start()) << "INVITE"
    if after_ringing:
        play = play >> t.receives(answer("INVITE", 180)) << "Provisional 180"
    ok = t.receives(answer("INVITE", 200))
    assert play >> ok << "Success 200" >> ok << "Success 200"
    assert t.made.deadline == 32.0
    assert Playbook() >> t.at(32.0)
    assert t.made.terminated
    assert Playbook() >> ok


@pytest.mark.parametrize("after_ringing", [False, True])
def test_a_failure_is_acknowledged_each_time_and_told_once(*, after_ringing: bool) -> None:
    t = invite_client()
    play = Playbook(t.made.start()) << "INVITE"
    if after_ringing:
        play = play >> t.receives(answer("INVITE", 180)) << "Provisional 180"
    busy = t.receives(answer("INVITE", 486))
    assert play >> busy << "ACK" << "Failure 486" >> busy << "ACK"
    assert t.made.deadline == 32.0
    assert Playbook() >> t.at(32.0)
    assert t.made.terminated


def test_over_a_reliable_transport_a_failure_ends_the_transaction_at_once() -> None:
    t = invite_client(TCP)
    assert Playbook(t.made.start()) << "INVITE" >> t.receives(answer("INVITE", 486)) << "ACK" << "Failure 486"
    assert Playbook() >> t.at(0.0)
    assert t.made.terminated


def test_the_ack_of_a_failure_belongs_to_the_transaction() -> None:
    """Section 17.1.1.3: same branch, same Route, To of the response, CSeq number of the INVITE."""
    t = invite_client()
    t.made.start()
    (ack,) = sent(t.made.receive(answer("INVITE", 486), 0.1))
    assert isinstance(ack, Request)
    assert ack.branch == "z9hG4bKa"
    assert ack.headers.all("via") == ["SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa"]
    assert ack.headers.get("route") == "<sip:proxy.example;lr>"
    assert ack.to_tag == "t"
    assert ack.headers.get("cseq") == "7 ACK"
    assert ack.uri == "sip:+1425@192.0.2.2"


@pytest.mark.parametrize("before", [None, 486])
def test_what_cannot_be_carried_ends_an_invite(before: int | None) -> None:
    t = invite_client()
    t.made.start()
    if before:
        t.made.receive(answer("INVITE", before), 0.1)
    assert Playbook() >> t.breaks("refused") << "Undeliverable refused" >> t.breaks("refused")
    assert t.made.terminated


def test_a_success_after_a_failure_is_ignored() -> None:
    t = invite_client()
    t.made.start()
    t.made.receive(answer("INVITE", 486), 0.1)
    assert Playbook() >> t.receives(answer("INVITE", 200)) >> t.receives(answer("INVITE", 180))


# Non-INVITE client: section 17.1.2


LONG = ("x-long", "y" * 1_300)


@pytest.mark.parametrize(("made", "method"), [(InviteClient, "INVITE"), (NonInviteClient, "BYE")])
def test_a_request_too_long_for_udp_goes_by_tcp_and_back_to_udp_if_nobody_takes_it(
    made: type[InviteClient] | type[NonInviteClient], method: str
) -> None:
    asked = request(method)
    asked.headers.add("via", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKb")
    assert made("leg", asked, UDP, 0.0).to == UDP
    asked.headers.add(*LONG)
    transaction = made("leg", asked, UDP, 0.0)
    (first,) = transaction.start()
    assert isinstance(first, Transmit)
    assert first.to == TCP
    (message,) = sent([first])
    assert message.headers.values("via") == [
        "SIP/2.0/TCP 192.0.2.1;branch=z9hG4bKa",
        "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKb",
    ]
    assert transaction.deadline == 32.0  # nothing is repeated over TCP
    (again,) = transaction.fail("refused: nobody", 1.0)
    assert isinstance(again, Transmit)
    assert again.to == UDP
    assert again.data == asked.to_bytes()
    assert transaction.deadline == 1.5
    (end,) = transaction.fail("refused: nobody", 2.0)
    assert not isinstance(end, Transmit)
    assert transaction.terminated
    assert made("leg", asked, TCP, 0.0).start()[0] == Transmit(asked.to_bytes(), TCP)


def test_a_request_is_repeated_up_to_every_four_seconds_until_timer_f() -> None:
    t = other_client()
    assert Playbook(t.made.start()) << "BYE"
    for due in (0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5):
        assert t.made.deadline == due
        assert Playbook() >> t.at(due) << "BYE"
    assert Playbook() >> t.at(32.0) << "timer F" << "TimedOut F"
    assert t.made.terminated


def test_a_provisional_response_slows_repeating_down() -> None:
    t = other_client()
    t.made.start()
    trying = t.receives(answer("BYE", 100))
    assert Playbook() >> trying << "Provisional 100" >> t.at(0.5) << "BYE"
    assert t.made.deadline == 4.5
    assert Playbook() >> t.at(4.5) << "BYE" >> trying << "Provisional 100"
    assert Playbook() >> t.at(32.0) << "BYE" << "timer F" << "TimedOut F"


@pytest.mark.parametrize("status", [200, 481])
@pytest.mark.parametrize("after_trying", [False, True])
def test_a_final_response_is_told_once_and_absorbed_until_timer_k(status: int, *, after_trying: bool) -> None:
    t = other_client()
    t.made.start()
    if after_trying:
        t.made.receive(answer("BYE", 100), 0.0)
    final = t.receives(answer("BYE", status))
    name = "Success" if status < 300 else "Failure"
    assert Playbook() >> final << f"{name} {status}" >> final
    assert t.made.deadline == 5.0
    assert Playbook() >> t.at(5.0)
    assert t.made.terminated


def test_over_a_reliable_transport_a_request_is_sent_once_and_ends_at_once() -> None:
    t = other_client(TCP)
    assert Playbook(t.made.start()) << "BYE"
    assert t.made.deadline == 32.0
    assert Playbook() >> t.receives(answer("BYE", 200)) << "Success 200" >> t.at(0.0)
    assert t.made.terminated


@pytest.mark.parametrize("after_trying", [False, True])
def test_what_cannot_be_carried_ends_a_request(*, after_trying: bool) -> None:
    t = other_client()
    t.made.start()
    if after_trying:
        t.made.receive(answer("BYE", 100), 0.0)
    assert Playbook() >> t.breaks("reset") << "Undeliverable reset"
    assert t.made.terminated


# INVITE server: section 17.2.1, RFC 6026 section 7.1


def test_a_repeated_invite_gets_the_last_provisional_response_again() -> None:
    t = invite_server()
    again = t.receives(request("INVITE"))
    assert Playbook() >> again >> t.sends(answer("INVITE", 180)) << "180 INVITE" >> again << "180 INVITE"


def test_a_refusal_is_repeated_until_its_ack() -> None:
    t = invite_server()
    assert Playbook() >> t.sends(answer("INVITE", 486)) << "486 INVITE"
    for due in (0.5, 1.5, 3.5, 7.5, 11.5):
        assert t.made.deadline == due
        assert Playbook() >> t.at(due) << "486 INVITE"
    ack = t.receives(request("ACK"))
    assert Playbook() >> t.receives(request("INVITE")) << "486 INVITE" >> ack << "AckReceived" >> ack
    assert t.made.deadline == 16.5
    assert Playbook() >> t.at(16.5)
    assert t.made.terminated


def test_a_refusal_that_nobody_acknowledges_is_given_up_at_timer_h() -> None:
    t = invite_server()
    t.made.respond(answer("INVITE", 486), 0.0)
    t.made.deadlines = {timer: at for timer, at in t.made.deadlines.items() if timer.__name__ == "TimerH"}
    assert Playbook() >> t.at(32.0) << "timer H" << "TimedOut H"
    assert t.made.terminated


def test_over_a_reliable_transport_a_refusal_is_sent_once() -> None:
    t = invite_server(TCP)
    t.made.respond(answer("INVITE", 486), 0.0)
    assert t.made.deadline == 32.0
    assert Playbook() >> t.receives(request("ACK")) << "AckReceived" >> t.at(0.0)
    assert t.made.terminated


def test_after_a_success_repeated_invites_are_absorbed_until_timer_l() -> None:
    """RFC 6026: the 2xx is repeated by its sender, who may pass it through here."""
    t = invite_server()
    ok = t.sends(answer("INVITE", 200))
    assert Playbook() >> ok << "200 INVITE" >> t.receives(request("INVITE")) >> ok << "200 INVITE"
    assert Playbook() >> t.receives(request("ACK")) << "AckReceived"
    assert t.made.deadline == 32.0
    assert Playbook() >> t.at(32.0)
    assert t.made.terminated


@pytest.mark.parametrize("status", [180, 486])
def test_a_response_that_cannot_be_carried_ends_the_invite(status: int) -> None:
    t = invite_server()
    t.made.respond(answer("INVITE", status), 0.0)
    assert Playbook() >> t.breaks("unreachable") << "Undeliverable unreachable"
    assert t.made.terminated


def test_a_second_final_response_is_refused() -> None:
    t = invite_server()
    t.made.respond(answer("INVITE", 486), 0.0)
    with pytest.raises(UnexpectedInput, match="COMPLETED <- Failure"):
        t.made.respond(answer("INVITE", 603), 0.1)


# Non-INVITE server: section 17.2.2


@pytest.mark.parametrize("status", [200, 481])
@pytest.mark.parametrize("after_trying", [False, True])
def test_a_repeated_request_gets_its_response_again_until_timer_j(status: int, *, after_trying: bool) -> None:
    t = other_server()
    again = t.receives(request("BYE"))
    play = Playbook() >> again
    if after_trying:
        play = play >> t.sends(answer("BYE", 100)) << "100 BYE" >> again << "100 BYE"
        play = play >> t.sends(answer("BYE", 182)) << "182 BYE"
    assert play >> t.sends(answer("BYE", status)) << f"{status} BYE" >> again << f"{status} BYE"
    assert t.made.deadline == 32.0
    assert Playbook() >> t.at(32.0)
    assert t.made.terminated
    assert Playbook() >> again


def test_over_a_reliable_transport_nothing_is_absorbed() -> None:
    t = other_server(TCP)
    t.made.respond(answer("BYE", 200), 0.0)
    assert Playbook() >> t.at(0.0)
    assert t.made.terminated


@pytest.mark.parametrize("status", [100, 200])
def test_a_response_that_cannot_be_carried_ends_the_request(status: int) -> None:
    t = other_server()
    t.made.respond(answer("BYE", status), 0.0)
    assert Playbook() >> t.breaks("reset") << "Undeliverable reset"
    assert t.made.terminated

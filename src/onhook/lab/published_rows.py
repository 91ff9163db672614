"""The 47 rows of Microsoft's page of call end codes: how each is provoked, and how the official SDK sees it.

docs/reference/published-rows.md is made from here, and tests/interop/test_published_rows.py runs every row
that has an `act`, with the server in a process of its own, its built-in carrier, and the Python SDK.
"""

from typing import Final, Literal, NamedTuple, TypeAlias

Act: TypeAlias = Literal[
    "",  # not provoked
    "call",  # create_call, and the last event of the call
    "call-user",  # create_call to an ACS user
    "cancel",  # create_call, hang_up while it rings
    "late-hang-up",  # hang_up of a call that is over
    "bad-request",  # create_call with a callback that is no address
    "play",  # play a file in a call that is up
    "recognize-digits",  # recognize in a call whose phone presses nothing
    "recognize-speech",
    "answered",  # a call comes in, and is answered
    "answered-late",  # a call comes in, its caller gives up, then it is answered
]
Basis: TypeAlias = Literal["cause", "status", "none"]
TEST: Final = "tests/interop/test_published_rows.py"
SDK_CLIENT: Final = "It happens inside a client of the Calling SDK; the trunk says the same status instead."


class Row(NamedTuple):
    """`code` and `subcode` as printed. `seen` is (event or exception, code, subcode or error code).

    `basis`: its real cause is provoked; or only its code, by the same SIP status; or nothing, for `reason`.
    """

    section: str
    code: str
    subcode: str
    meaning: str
    page: str
    basis: Basis
    provoke: str = ""
    act: Act = ""
    seen: tuple[str, int, str] = ("", 0, "")
    reason: str = ""
    scenario: str = ""

    @property
    def name(self) -> str:
        return f"{self.section} {self.code}/{self.subcode or '-'} {self.meaning}"


def _call(pair: str, meaning: str, page: str, seen: tuple[int, str], reason: str = "") -> Row:
    code, _, subcode = pair.partition("/")
    event = "CallDisconnected" if seen[0] == 200 else "CreateCallFailed"
    return Row("PSTN", code, subcode, meaning, page, "cause", page, "call", (event, *seen), reason)


def _client(code: str, meaning: str, page: str, seen: tuple[int, str], provoke: str = "") -> Row:
    return Row(
        "Calling SDK", code, "", meaning, page, "cause", provoke or page, "call", ("CreateCallFailed", *seen)
    )


def _status(code: str, meaning: str) -> Row:
    return Row(
        "Calling SDK",
        code,
        "",
        meaning,
        "trunk-client-error",
        "status",
        "scenario",
        "call",
        ("CreateCallFailed", int(code), f"560{code}"),
        SDK_CLIENT,
        f"carrier: 100 Trying\ncarrier: {code} Provoked\n",
    )


def _refused(code: str, meaning: str, provoke: str, error: str) -> Row:
    return Row(
        "Call Automation",
        code,
        "",
        meaning,
        "",
        "cause",
        provoke,
        "call",
        ("HttpResponseError", int(code), error),
    )


ICE: Final = "Media towards trunks is plain RTP: there are no connectivity checks that could fail."
LOCAL: Final = "It takes a participant on our side who is not the application; that ends calls with 0/7000."
ROWS: Final = (
    _client("403", "forbidden", "call-forbidden", (403, "560403")),
    _client("404", "call not found", "number-not-found", (404, "560404")),
    _client("408", "call controller timed out", "callee-no-response", (408, "560408")),
    _client("410", "media stack or infrastructure", "answer-unusable", (410, "531000")),
    _status("430", "message not delivered to the client"),
    Row(
        "Calling SDK", "480", "", "remote endpoint not registered", "user-not-registered", "cause",
        "", "call-user", ("CreateCallFailed", 480, "10037"),
        "The user of the call has no application that is subscribed: nothing needs to be armed.",
    ),
    _status("481", "incoming call not handled"),
    Row(
        "Calling SDK", "487", "", "cancelled", "cancelled-by-app", "cause",
        "cancelled-by-app", "cancel", ("CreateCallFailed", 487, "560487"),
    ),
    *(_status(code, "network of the local endpoint") for code in ("490", "491", "496", "497", "498")),
    _client("500", "infrastructure error", "trunk-failed", (500, "560500")),
    _client("503", "infrastructure error", "trunk-unavailable", (503, "560503")),
    _client("504", "infrastructure error", "trunk-unreachable", (504, "569002")),
    _client("603", "declined", "callee-declined", (603, "560603")),
    Row(
        "Call Automation", "400", "", "bad request", "", "cause",
        "", "bad-request", ("HttpResponseError", 400, "8523"),
        "The application asks wrongly by itself; `onhook provoke bad-request` does it to a good request.",
    ),
    Row(
        "Call Automation", "400", "", "Play Failed", "prompt-format", "cause",
        "prompt-format", "play", ("PlayFailed", 400, "8535"),
    ),
    Row(
        "Call Automation", "400", "", "Recognize Failed", "recognize-no-input", "cause",
        "recognize-no-input", "recognize-digits", ("RecognizeFailed", 400, "8510"),
    ),
    _refused("401", "unauthorized", "clock-skew", "7509"),
    _refused("403", "forbidden", "forbidden", "Forbidden"),
    Row(
        "Call Automation", "404", "", "resource not found", "", "cause",
        "callee-busy", "late-hang-up", ("HttpResponseError", 404, "8522"),
    ),
    _refused("429", "too many requests", "throttled", "8516"),
    _refused("500", "internal server error", "internal-error", "InternalServerError"),
    Row(
        "Call Automation", "500", "", "Play Failed", "operation-fault", "cause",
        "operation-fault", "play", ("PlayFailed", 500, "9999"),
    ),
    Row(
        "Call Automation", "500", "", "Recognize Failed", "recognizer-failed", "cause",
        "recognizer-failed", "recognize-speech", ("RecognizeFailed", 500, "8570"),
    ),
    _refused("502", "bad gateway", "bad-gateway", "BadGateway"),
    Row("PSTN", "0", "0", "ended by the local participant", "ended-locally", "none", reason=LOCAL),
    _call("0/560000", "normal end, called", "hung-up-by-phone", (200, "560000")),
    Row(
        "PSTN", "0", "540000", "normal end, calling", "caller-hung-up", "cause",
        "caller-hung-up", "answered", ("CallDisconnected", 200, "540000"),
    ),
    _call("403/510403", "blocked by caller id or number", "caller-id-not-owned", (403, "510403")),
    _call("403/560403", "forbidden, cancelled, rejected", "call-forbidden", (403, "560403")),
    _call("403/511532", "no trunk configuration", "no-trunk", (403, "511532")),
    _call("404/560404", "number not found at the trunk", "number-not-found", (404, "560404")),
    _call("404/511404", "number or resource not found", "number-unknown", (404, "511404")),
    _call("408/560408", "callee did not respond", "callee-no-response", (408, "560408")),
    _call("408/500001", "gateway did not respond", "trunk-silent", (408, "500001")),
    Row("PSTN", "410", "531004", "ICE checks failed", "ice-failed", "none", reason=ICE),
    _call("480/560480", "no answer, unavailable", "callee-unavailable", (480, "560480")),
    _call("484/560484", "number incomplete", "number-incomplete", (484, "560484")),
    _call("486/60486", "busy", "callee-busy", (486, "560486"), "60486 is a misprint of 560486."),
    Row(
        "PSTN", "487", "540487", "caller gave up", "caller-gave-up", "cause",
        "caller-gave-up", "answered-late", ("HttpResponseError", 400, "8528"),
        "Nobody had answered: no event bears the pair. Answering is refused; `onhook why` has 487/540487.",
    ),
    _call("497/560487", "request terminated", "cancelled-by-trunk", (487, "560487"), "A misprint of 487."),
    _call("500/560500", "internal server error", "trunk-failed", (500, "560500")),
    _call("503/560503", "network or service failure", "trunk-unavailable", (503, "560503")),
    _call("603/560603", "declined", "callee-declined", (603, "560603")),
)  # fmt: skip


def provoked() -> list[Row]:
    return [row for row in ROWS if row.act]


def markdown() -> str:
    """docs/reference/published-rows.md."""
    by_cause = sum(row.basis == "cause" for row in ROWS)
    by_status = sum(row.basis == "status" for row in ROWS)
    lines = "\n".join(_line(row) for row in ROWS)
    return PAGE.format(
        count=len(ROWS),
        by_cause=by_cause,
        by_status=by_status,
        left=len(ROWS) - by_cause - by_status,
        lines=lines,
    )


def _line(row: Row) -> str:
    page = f"[{row.page}](endings.md)" if row.page else "a fault of a request"
    how = {"scenario": "`onhook provoke --scenario FILE`", "": "the application alone"}.get(
        row.provoke, f"`onhook provoke {row.provoke}`"
    )
    kind, code, detail = row.seen
    seen = f"`{kind}` {code}/{detail}" if kind else "not seen"
    pair = f"{row.code}/{row.subcode}" if row.subcode else row.code
    test = f"`{TEST}`" if row.act else "none"
    how = how if row.act else "not provoked"
    return f"| {row.section} | {pair} | {row.meaning} | {page} | {how} | {seen} | {test} | {row.reason} |"


PAGE: Final = """\
<!-- Made from src/onhook/lab/published_rows.py by tools/generate_docs.py. Change it there. -->
# The published rows

The {count} rows of Microsoft's page "Troubleshooting call end response codes", in our own words. {by_cause}
are provoked by their own cause; {by_status} bear the same code because the far end answers with that SIP
status, while their cause lies within a client of the Calling SDK; {left} cannot be provoked, with the reason.

What the SDK sees is asserted by the test for each row: the server runs in a process of its own, the calls are
real SIP to the built-in carrier, and events come by HTTP. In events, code 0 is 200.

| Section | Row | Meaning | Ending | Provoked | The Python SDK sees | Test | Remark |
|---|---|---|---|---|---|---|---|
{lines}
"""

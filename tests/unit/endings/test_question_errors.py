"""Exceptions of the Azure SDKs, as people paste them."""

import json
from typing import Any, cast

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ODataV4Error,
    ResourceNotFoundError,
)

from onhook.endings.answer import Answer
from onhook.endings.asked import Asked
from onhook.endings.lookup import look_up
from onhook.endings.question import read
from onhook.endings.question_errors import fault_in, faults, read_error

CALL = "8f8a2d5e-0000-4000-8000-00000000abcd"

DOTNET = """Azure.RequestFailedException: Action can not be performed, call is not established.
Status: 400 (Bad Request)
ErrorCode: 8501

Content:
{"error":{"code":"8501","message":"Action can not be performed, call is not established."}}

Headers:
Date: Mon, 23 Nov 2026 11:43:19 GMT
Content-Length: 98
   at Azure.Communication.CallAutomation.CallMediaRestClient.PlayAsync() in Client.cs:line 1234
"""
"""As Azure.Core writes it (documented)."""

JAVASCRIPT = f"""RestError: Call not found.
 {{
  "code": "8522",
  "statusCode": 404,
  "details": {{
    "error": {{
      "code": "8522",
      "message": "Call not found."
    }}
  }},
  "name": "RestError",
  "request": {{
    "url": "https://127.0.0.1:40955/calling/callConnections/{CALL}?api-version=2026-03-12",
    "method": "DELETE",
    "headers": {{
      "user-agent": "azsdk-js-communication-call-automation/1.6.0 Node/20.20.2 (Linux 6.18.44; x64)",
      "x-ms-client-request-id": "4758b7a5-39b4-4ac9-9045-61c745780ade"
    }},
    "timeout": 0
  }}
}}
"""
"""As Node.js prints the exception of JavaScript SDK 1.6.0 (validated)."""


class Refusal:
    """The part of a response that azure-core's exceptions look at."""

    headers = {"content-type": "application/json"}
    content_type = "application/json"
    request = None

    def __init__(self, status: int, reason: str, body: object) -> None:
        self.status_code, self.reason, self._body = status, reason, json.dumps(body) if body else ""

    def text(self) -> str:
        return self._body

    def json(self) -> object:
        return json.loads(self._body)


def python_error(kind: type[HttpResponseError], status: int, reason: str, body: object = None) -> str:
    """What a traceback ends with; the text is azure-core's own."""
    error = kind(response=cast("Any", Refusal(status, reason, body)))
    raised = f"  File 'app.py', line 42, in <module>\n{kind.__module__}.{kind.__name__}: {error}"
    return f"Traceback (most recent call last):\n{raised}"


def body(code: str, message: str) -> dict[str, object]:
    return {"error": {"code": code, "message": message}}


def pairs(answer: Answer) -> list[tuple[int | None, int | None]]:
    return [(match.code, match.subcode) for match in answer.matches]


class TestPython:
    def test_the_code_and_the_status_of_the_class(self) -> None:
        text = python_error(ResourceNotFoundError, 404, "Not Found", body("8522", "Call not found."))
        assert read_error(text) == [Asked(how="SDK error", code=404, subcode=8522, http_status=404)]
        answer = look_up(text)
        assert pairs(answer)[0] == (404, 8522)
        assert answer.matches[0].how_found == "exact pair"
        assert not any("42" in said for said in answer.understood), "the number of a line is no code"

    def test_a_class_that_stands_for_many_statuses_gives_none(self) -> None:
        text = python_error(HttpResponseError, 400, "Bad Request", body("8501", "Not established."))
        assert read_error(text) == [Asked(how="SDK error", subcode=8501)]
        assert pairs(look_up(text))[0] == (400, 8501)

    def test_the_text_alone_without_a_traceback(self) -> None:
        text = "(8523) Invalid input.\nCode: 8523\nMessage: Invalid input.\nTarget: $.targets[0]"
        assert read_error(text) == [Asked(how="SDK error", subcode=8523)]

    def test_a_name_in_place_of_a_number(self) -> None:
        text = python_error(ClientAuthenticationError, 401, "Unauthorized", body("Unauthorized", "No."))
        (asked,) = read_error(text)
        assert (asked.http_status, asked.words) == (401, ("Unauthorized",))
        best = look_up(text).matches[0]
        assert (best.code, best.name, best.family) == (401, "Unauthorized", "call-automation")
        assert best.confidence == "high"

    def test_no_body_leaves_the_phrase(self) -> None:
        text = python_error(HttpResponseError, 429, "Too Many Requests")
        assert "invalid status 'Too Many Requests'" in text
        answer = look_up(text)
        assert answer.matches[0].code == 429
        assert answer.matches[0].name == "Too many requests"
        assert any("HTTP status 429" in remark for remark in answer.remarks)

    def test_a_phrase_that_no_status_has(self) -> None:
        text = "HttpResponseError: Operation returned an invalid status 'Odd'"
        assert read_error(text) == []

    def test_old_error_bodies_are_refusals_too(self) -> None:
        text = python_error(ODataV4Error, 404, "Not Found", body("8522", "Call not found."))
        assert (404, 8522) in pairs(look_up(text))


class TestOtherLanguages:
    def test_dotnet(self) -> None:
        assert read_error(DOTNET) == [Asked(how="SDK error", code=400, subcode=8501, http_status=400)]
        assert pairs(look_up(DOTNET))[0] == (400, 8501)

    def test_dotnet_with_a_name(self) -> None:
        (asked,) = read_error("Status: 403 (Forbidden)\nErrorCode: Forbidden\n")
        assert (asked.http_status, asked.code, asked.words) == (403, 403, ("Forbidden",))

    def test_javascript(self) -> None:
        assert read_error(JAVASCRIPT) == [Asked(how="SDK error", code=404, subcode=8522, http_status=404)]
        answer = look_up(JAVASCRIPT)
        assert pairs(answer)[0] == (404, 8522)
        assert answer.calls == (CALL,)

    def test_javascript_as_json(self) -> None:
        text = '{"code":"8522","statusCode":404,"details":{"error":{"code":"8522","message":"x"}}}'
        assert [(one.code, one.subcode) for one in read(text).asked] == [(404, 8522)]

    def test_javascript_without_a_body(self) -> None:
        answer = look_up('RestError: \n {\n  "statusCode": 429,\n  "details": {},\n  "name": "RestError"\n}')
        assert answer.matches[0].name == "Too many requests"

    def test_an_error_body_alone(self) -> None:
        assert pairs(look_up('{"error":{"code":"8522","message":"Call not found"}}'))[0] == (404, 8522)


FAULTS: dict[str, list[str]] = {
    "certificate-untrusted": [
        "ServiceRequestError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed (_ssl.c:1006)",
        "RestError: self-signed certificate in certificate chain",
        "HttpRequestException: The SSL connection could not be established",
    ],
    "certificate-expired": [
        "SSLCertVerificationError: certificate verify failed: certificate has expired",
    ],
    "certificate-name": [
        "Error [ERR_TLS_CERT_ALTNAME_INVALID]: Hostname/IP does not match certificate's altnames",
    ],
    "refused": [
        "RestError: connect ECONNREFUSED 127.0.0.1:40955",
        "ServiceRequestError: Cannot connect to host x:8443 [Connect call failed ('127.0.0.1', 8443)]",
        '{"code":"ECONNREFUSED","name":"RestError"}',
    ],
    "name-unknown": [
        "getaddrinfo ENOTFOUND onhook",
    ],
    "reset": [
        "ServiceResponseError: ('Connection aborted.', RemoteDisconnected('closed without response'))",
    ],
    "timed-out": [
        "ServiceResponseTimeoutError: Read timed out. (read timeout=300)",
    ],
    "not-tls": [
        "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)",
    ],
    "bearer-without-tls": [
        "Bearer token authentication is not permitted for non-TLS protected (non-https) URLs.",
    ],
    "connection-string": [
        "Error: Invalid connection string ep=1",
    ],
    "key-not-base64": [
        "binascii.Error: Incorrect padding",
    ],
    "store-failed": [
        "(StoreFailed) The store cannot be written.\nCode: StoreFailed\nMessage: x",
    ],
}


class TestFaults:
    @pytest.mark.parametrize(
        ("text", "fault"), [(text, fault) for fault, texts in FAULTS.items() for text in texts]
    )
    def test_what_kept_the_sdk_from_an_answer(self, text: str, fault: str) -> None:
        (asked,) = read(text).asked
        assert asked.fault == fault
        best = look_up(text).matches[0]
        assert best.name == faults()[fault].name
        assert best.advice
        assert (best.origin, best.subcode) == ("sdk", None)
        assert "No call ended here" in best.gaps[0]

    def test_every_row_is_whole_and_finds_itself_by_each_of_its_signs(self) -> None:
        for fault in faults().values():
            assert all((fault.side, fault.name, fault.meaning, fault.advice, fault.source)), fault.id
            assert fault.basis in {"validated", "documented"}
            for sign in fault.signs:
                assert sign == sign.lower()
                found = fault_in(f"… {sign.replace('&', ' ')} …".upper())
                assert found is fault, (sign, found)

    def test_text_without_a_fault(self) -> None:
        assert fault_in("the callee was busy") is None

    def test_signalling_is_no_exception(self) -> None:
        (asked,) = read("SIP/2.0 503 Connection refused").asked
        assert (asked.sip_status, asked.fault) == (503, "")

"""Public reports, disputes between documents, and the signals that pairs stand for."""

import msgspec
import pytest

from onhook.endings import beside
from onhook.endings.asked import Asked
from onhook.endings.beside import (
    disputes,
    disputes_about,
    reports,
    reports_about,
    signal_rules,
    signals_for,
    signals_of,
)
from onhook.endings.codes import by_subcode, category_of, documents, q850_causes, rows, source_kinds
from onhook.endings.grammar import decode
from onhook.endings.lookup import look_up
from onhook.endings.pages import pages


class TestBasis:
    def test_every_row_has_a_source_that_is_listed_and_a_basis(self) -> None:
        for row in rows():
            assert all(citation in documents() for citation in row.source.split("; ")), row
            assert row.basis in {"documented", "published-in-query"}

    def test_rows_of_the_query_alone_are_not_called_documented(self) -> None:
        alone = [row for row in rows() if row.source == "Azure Monitor SubCodesMapping"]
        assert len(alone) > 400
        assert {row.basis for row in alone} == {"published-in-query"}
        assert set(source_kinds().values()) == {"documented", "published-in-query"}

    def test_what_digits_tell_is_inferred(self) -> None:
        assert look_up("560777").matches[0].basis == "inferred"
        assert look_up("560486").matches[0].basis == "documented"


class TestReports:
    @pytest.mark.parametrize(
        ("text", "told", "source"),
        [
            ("401/8565", "voice name was sent blank", "Azure/azure-sdk-for-net#38573"),
            ("8536", "prompt was a text", "Azure/azure-sdk-for-net#45689"),
            (
                'SIP/2.0 480 Temporarily Unavailable\r\nReason: Q.850;cause=31;text="No callee endpoints"',
                "One SBC name",
                "MicrosoftDocs/OfficeDocs-SkypeForBusiness#9021",
            ),
            ("Q.850;cause=31", "One SBC name", "MicrosoftDocs/OfficeDocs-SkypeForBusiness#9021"),
            ("reason=NoNgcEndpoint, code=480, subCode=10037", "No client", "Azure/Communication#114"),
            ("500/511404", "older service", "Azure-Samples/communication-services-web-calling-tutorial#36"),
        ],
    )  # fmt: skip
    def test_a_code_that_misled_people_says_so(self, text: str, told: str, source: str) -> None:
        found = [report for report in look_up(text).reports if report.source == source]
        assert len(found) == 1
        assert told in found[0].cause
        assert found[0].check

    @pytest.mark.parametrize("text", ["486/560486", "480/560480", "Q.850;cause=17", "404/511404", "nothing"])
    def test_a_code_that_nobody_complained_of_has_none(self, text: str) -> None:
        assert look_up(text).reports == ()

    def test_every_report_is_found_by_what_it_is_about(self) -> None:
        for report in reports():
            asked = Asked(
                how="test",
                code=report.code,
                subcode=report.subcode,
                sip_status=report.sip_status,
                q850_cause=report.q850,
            )
            assert report in reports_about(asked, report.text.upper()), report
            assert all((report.printed, report.cause, report.check, report.source)), report
            assert "#" in report.source

    def test_a_report_belongs_to_a_row_of_the_catalogue(self) -> None:
        for report in reports():
            assert report.q850 in {None, *q850_causes()}
            assert report.subcode is None or by_subcode(report.subcode), report


class TestDisputes:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("410/3100", "published query says ExpectedError"),
            ("403/510403", "Four editions"),
            ("503/560503", "need not agree"),
            ("540420", "only 560xxx is written by the SBC"),
            ("0/5003", "three causes"),
            ("200/5003", "three causes"),
        ],
    )
    def test_what_the_documents_dispute_is_shown_with_the_documents(self, text: str, said: str) -> None:
        (line,) = [line for line in look_up(text).contradictions if said in line]
        assert line.endswith(")")

    def test_another_code_with_the_subcode_is_not_disputed(self) -> None:
        assert disputes_about(500, 3100) == []
        assert disputes_about(None, 3100)

    def test_every_dispute_cites_documents_and_is_about_rows(self) -> None:
        for each in disputes():
            assert all(citation in documents() for citation in each.sources.split("; ")), each
            assert any(row.subcode is not None and each.first <= row.subcode <= each.last for row in rows())


class TestSignals:
    def test_a_status_of_the_outbound_leg_is_its_digits(self) -> None:
        for each in signal_rules():
            if each.leg == "outbound" and each.status.isdecimal() and each.status != "200":
                assert each.subcode == 560_000 + int(each.status), each
                assert each.code == int(each.status), each

    def test_the_codes_are_known_and_have_a_category(self) -> None:
        for each in signal_rules():
            assert decode(each.subcode, each.code).step in {"exact pair", "six-digit family"}, each
            assert category_of(each.code, each.subcode).name, each

    def test_a_signal_and_its_pages_have_one_pair(self) -> None:
        for each in signal_rules():
            for ending in each.endings:
                front = pages()[ending].front
                assert (front.code, front.subcode) == (each.code, each.subcode), (each, ending)

    def test_every_ending_of_a_call_has_its_signal_and_no_operation_has(self) -> None:
        told = {ending for each in signal_rules() for ending in each.endings}
        assert told == {ending for ending, page in pages().items() if not page.front.events}

    def test_an_ending_that_the_table_does_not_name_is_a_signal_by_its_name(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        busy = pages()["callee-busy"]
        new = msgspec.structs.replace(busy, id="callee-busier")
        monkeypatch.setattr(beside, "pages", lambda: pages() | {new.id: new})
        *_, last = signal_rules.__wrapped__()
        assert (last.signal, last.endings) == (busy.front.name, ("callee-busier",))
        assert (last.code, last.subcode, last.basis) == (486, 560486, "documented")

    def test_signals_are_found_both_ways(self) -> None:
        (busy,) = signals_of(486, 560486)
        assert busy.cause == 17
        assert busy in signals_for(486)
        assert {each.leg for each in signals_for(486)} == {"inbound", "outbound"}
        assert signals_of(200, 7000) == signals_of(0, 7000) != []
        assert signals_of(500, 7000) == []
        assert look_up("486/560486").signals == (busy,)

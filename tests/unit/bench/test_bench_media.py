"""What bench/media.py makes of packets that came, and how it looks for the largest number of legs."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import media
from media import ONHOOK, Case, Options, Row, Run, as_json, as_text, rows, search
from media_far_end import FRAME, FRAME_SECONDS, GROUPS, Came, FarEnd
from media_plan import BRIDGED, PLAYING, Plan, tell, wait_for
from processes import Cores

CORES = Cores(0, 1)
CASE = Case(ONHOOK, PLAYING, encrypted=False)
BEGAN = 1_000.0


@pytest.fixture
def far() -> Iterator[FarEnd]:
    made = FarEnd(2)
    yield made
    made.close()


def came(*late_ms: float, legs: int = 2, first: int = 4_294_960_000) -> Came:
    """A packet of each leg each 20 ms; `late_ms` are those of leg 0 that are late, from the third on."""
    leg, at, stamps = [], [], []
    for number in range(100):
        for each in range(legs):
            late = late_ms[number - 2] if each == 0 and 2 <= number < 2 + len(late_ms) else 0.0
            leg.append(each)
            at.append(BEGAN + number * FRAME_SECONDS + late / 1000)
            stamps.append(first + number * FRAME & 0xFFFFFFFF)
    return Came(np.array(leg), np.array(at), np.array(stamps))


def test_what_comes_in_time_is_not_late_though_timestamps_wrap(far: FarEnd) -> None:
    told = far.lateness(came(4.9), after=BEGAN, until=BEGAN + 2)
    assert (told.due, told.came, told.late) == (198, 200, 0)
    assert told.share == 0


def test_later_than_five_ms_is_late(far: FarEnd) -> None:
    told = far.lateness(came(5.1, 30, 1), after=BEGAN, until=BEGAN + 2)
    assert told.late == 2
    assert told.share == pytest.approx(0.01)


def test_what_never_came_is_late_too(far: FarEnd) -> None:
    told = far.lateness(came(legs=1), after=BEGAN, until=BEGAN + 2)
    assert told.late == 99
    assert far.lateness(came(), after=BEGAN + 50, until=BEGAN + 52).late == 198


def test_what_is_relayed_is_due_when_it_was_sent(far: FarEnd) -> None:
    far._sent_at = [[BEGAN + number * FRAME_SECONDS for number in range(100)] for _ in range(GROUPS)]
    far._sent_at[1][50] += 0.015  # leg 1 spoke late: no fault of who relays it
    legs, at, stamps = [], [], []
    for number in range(100):
        for leg, other in ((0, 1), (1, 0)):
            legs.append(leg)
            at.append(far._sent_at[other % GROUPS][number] + 0.001)
            stamps.append(int(far.begins[other]) + number * FRAME)
    heard = Came(np.array(legs), np.array(at), np.array(stamps))
    told = far.lateness(heard, after=BEGAN, until=BEGAN + 2.1, relayed=[1, 0])
    assert told.p99_ms < 0.1
    assert told.late == 2 * (told.due // 2 - 100)  # nothing more was sent


def run_of(legs: int, late: float, cpu_ms: float = 1.0, *, behind: bool = False) -> Run:
    return Run(legs, cpu_ms, legs * 50, late, 1.0, behind, {"p99": 0.2, "most": 0.9})


def searched(
    monkeypatch: pytest.MonkeyPatch, limit: int, *, tries: int = 6, behind: bool = False
) -> tuple[Row, list[int]]:
    """With an engine that holds up to `limit` legs."""
    tried: list[int] = []

    def measure(_case: Case, legs: int, _cores: Cores, _seconds: float) -> Run:
        tried.append(legs)
        cpu_ms = 1000 / 930 + 60 / legs  # one core's worth, and what does not grow with the legs
        return run_of(legs, 0.0 if legs <= limit else 0.5, cpu_ms, behind=behind)

    monkeypatch.setattr(media, "measure", measure)
    return search(CASE, run_of(60, 0.0 if limit >= 60 else 0.5), CORES, Options(tries=tries)), tried


@pytest.mark.parametrize("limit", [300, 760, 1_000, 1_250])
def test_the_search_ends_near_the_limit(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    row, tried = searched(monkeypatch, limit)
    assert row.most
    assert limit * 0.8 <= row.most.legs <= limit
    assert tried[0] == 798
    assert len(set(tried)) == len(tried)
    assert all(legs % 6 == 0 for legs in tried)
    assert row.worth_legs == 1_000


def test_an_engine_that_holds_nothing_has_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    row, _ = searched(monkeypatch, 5)
    assert row.most is None
    assert "-" in as_text([row], (1, 1, 1), CORES)


def test_far_ends_that_were_late_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    row, _ = searched(monkeypatch, 300, behind=True)
    assert row.limited_by_far_end
    assert "(far ends late)" in as_text([row], (1, 1, 1), CORES)


def test_rows_have_all_that_an_engine_can_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "measure", lambda _case, legs, *_: run_of(legs, 0.001))
    monkeypatch.setattr("media_rtpengine.is_there", lambda: False)
    found = list(rows(["onhook", "aiortc", "rtpengine"], [BRIDGED], CORES, Options(tries=0), []))
    assert [(row.engine, row.shape, row.encrypted) for row in found] == [
        ("onhook", BRIDGED, False),
        ("onhook", BRIDGED, True),
        ("aiortc", BRIDGED, True),
    ]
    text = as_text(found, (1, 1, 1), CORES)
    assert "0.10 %" in text
    assert "0.2, 0.9 ms" in text
    assert '"worth_legs": 1000' in as_json(found, (1, 1, 1))


def test_a_peer_that_fails_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(case: Case, legs: int, _cores: Cores, _seconds: float) -> Run:
        if case.engine == "aiortp":
            raise TimeoutError("ready.json did not come")
        return run_of(legs, 0.001)

    monkeypatch.setattr(media, "measure", measure)
    failed: list[str] = []
    found = list(rows(["aiortp", "onhook"], [BRIDGED], CORES, Options(tries=0), failed))
    assert failed == ["aiortp, bridged"]
    assert [row.engine for row in found] == ["onhook", "onhook"]


def test_a_plan_comes_through_a_file(tmp_path: Path) -> None:
    plan = Plan(BRIDGED, encrypted=True, ports=[5, 6, 7, 8], keys=[("00", "11")] * 4)
    plan.write(tmp_path / "plan.json")
    assert Plan.read(tmp_path / "plan.json") == plan
    assert plan.rooms == [[0, 1], [2, 3]]


def test_an_answer_that_does_not_come_is_not_waited_for_longer_than_its_process_lives(tmp_path: Path) -> None:
    tell(tmp_path / "ready.json", [1, 2])
    assert wait_for(tmp_path / "ready.json", lambda: False) == [1, 2]
    with pytest.raises(TimeoutError, match=r"figures\.json did not come"):
        wait_for(tmp_path / "figures.json", lambda: False)

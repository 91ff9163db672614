"""The scenarios of the guide are such: they are read, and the second one plays as it says."""

import re
from pathlib import Path

from onhook.config.stage import stage_of
from onhook.lab.rehearsal import rehearse
from onhook.lab.scenario import parse_scenario

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "provoke-an-ending.md"


def scenarios() -> list[str]:
    fenced = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    blocks: list[str] = fenced.findall(GUIDE.read_text(encoding="utf-8"))
    return [re.sub(r" {2,}# .*", "", block) for block in blocks if block.startswith("carrier:")]


def test_every_scenario_of_the_guide_can_be_read() -> None:
    assert len(scenarios()) == 2
    assert [len(parse_scenario(text).steps) for text in scenarios()] == [12, 12]


def test_the_scene_of_the_guide_plays_to_its_end() -> None:
    scenario = parse_scenario(scenarios()[1])
    rehearsal = rehearse(scenario, stage_of(scenario))
    told = [event["type"].rpartition(".")[2] for event in rehearsal.events]
    assert [
        name for name in told if name in {"RecognizeCompleted", "PlayFailed", "AddParticipantFailed"}
    ] == [
        "RecognizeCompleted",
        "PlayFailed",
        "AddParticipantFailed",
    ]
    assert rehearsal.record.verdict is not None
    assert rehearsal.record.verdict.ending == "hung-up-by-app"

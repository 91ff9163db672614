"""Break the rules one after the other, and see whether a test of the pages notices.

    .venv/bin/python tools/mutate_rules.py            # rules and tables; writes docs/mutation-check.md
    .venv/bin/python tools/mutate_rules.py --guards   # the conditions within rules too; writes nothing

Exit status 1 if a mutant survives and no reason for it is written down here.

Every page's scenario is rehearsed once, and every sample timeline of the rules is taken beside it. A mutant
is killed if a page then gets another ending, other codes, or no evidence. What survives that is tried on the
unit tests of the rules, in a process of its own.
"""

import argparse
import ast
import copy
import importlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

import pytest  # noqa: E402  # the path above comes first

from onhook.config.stage import stage_of  # noqa: E402  # the path above comes first
from onhook.endings import judge as judging  # noqa: E402  # as above
from onhook.endings import operations, referrals, rules  # noqa: E402  # as above
from onhook.endings.finding import Finding  # noqa: E402  # as above
from onhook.endings.pages import pages  # noqa: E402  # as above
from onhook.endings.rules import Rule  # noqa: E402  # as above
from onhook.endings.verdict import Proof  # noqa: E402  # as above
from onhook.facts import OperationEnded, Timeline  # noqa: E402  # as above
from onhook.lab.rehearsal import rehearse  # noqa: E402  # as above
from onhook.lab.scenario import parse_scenario  # noqa: E402  # as above
from timelines import SAMPLES  # noqa: E402  # as above

DOC = ROOT / "docs/mutation-check.md"
MODULES = tuple(
    f"onhook.endings.rules_{part}" for part in ("own", "setup", "incoming", "talking", "users", "media")
)
UNIT_TESTS = tuple(
    f"tests/unit/endings/{name}"
    for name in (
        "test_rules.py",
        "test_rules_media.py",
        "test_rules_evidence.py",
        "test_judge.py",
        "test_judge_remarks.py",
        "test_judge_live_calls.py",
        "test_judge_shared_garbage.py",
        "test_legs.py",
        "test_legs_taken_out.py",
        "test_parties.py",
        "test_operations.py",
        "test_referrals.py",
    )
)
SAID = 3
"""Pages that a killed mutant is shown with."""

Applied = AbstractContextManager[None]
Outcome = tuple[object, ...]


class Exhibit(NamedTuple):
    """A page with the facts that must lead to it."""

    name: str
    timeline: Timeline
    outcome: Outcome


class Mutant(NamedTuple):
    """`rule` is the ending, the entry of a table, or the function that is broken; `how` says how."""

    kind: str
    rule: str
    how: str
    apply: Callable[[], Applied]


class Result(NamedTuple):
    mutant: Mutant
    killers: tuple[str, ...]
    """Pages, or "unit tests"; empty for a survivor."""


# What must come out


def exhibits() -> list[Exhibit]:
    found = [(f"sample of {ending}", timeline) for ending, timeline in SAMPLES.items()]
    for ending, page in pages().items():
        if page.scenario.strip():
            scenario = parse_scenario(page.scenario)
            found.append((ending, rehearse(scenario, stage_of(scenario)).timeline))
    return [Exhibit(name, timeline, outcome(timeline)) for name, timeline in found]


def outcome(timeline: Timeline) -> Outcome:
    verdict = judging.judge(timeline)
    verdicts = [verdict]
    for fact in timeline:
        if isinstance(fact, OperationEnded):
            judged = operations.judge_operation(timeline, fact.action)
            verdicts += [judged] if judged else []
    return tuple((each.ending, each.code, each.subcode, bool(each.evidence)) for each in verdicts)


def killers(shown: list[Exhibit]) -> tuple[str, ...]:
    return tuple(each.name for each in shown if _differs(each))


def _differs(exhibit: Exhibit) -> bool:
    try:
        return outcome(exhibit.timeline) != exhibit.outcome
    except Exception:  # noqa: BLE001  # a rule that raises has been noticed, whatever it raises
        return True


# Mutants


def of_rules() -> Iterator[Mutant]:
    """Each rule taken away; each made to say yes to whatever comes to it."""
    for place, rule in enumerate(rules.RULES):
        without = (*rules.RULES[:place], *rules.RULES[place + 1 :])
        always = (*rules.RULES[:place], Rule(rule.ending, _yes), *rules.RULES[place + 1 :])
        yield Mutant("rule", rule.ending, "taken away", _judging_by(without))
        yield Mutant("rule", rule.ending, "says yes to everything", _judging_by(always))


def _yes(_reading: object) -> Finding:
    return Finding([Proof(1, "a mutant")])


def _judging_by(broken: tuple[Rule, ...]) -> Callable[[], Applied]:
    @contextmanager
    def apply() -> Iterator[None]:
        defaults = judging.judge.__kwdefaults__
        assert defaults is not None
        kept = defaults["rules"]
        defaults["rules"] = broken
        try:
            yield
        finally:
            defaults["rules"] = kept

    return apply


def of_tables() -> Iterator[Mutant]:
    """Each entry of the tables of operations made to name another page."""
    tables: dict[str, dict[Any, str]] = {
        "BY_END": operations.BY_END,
        "BY_FAULT": operations.BY_FAULT,
        "BY_STATUS": operations.BY_STATUS,
        "TRANSCRIPTION": operations.TRANSCRIPTION,
        "PAGES of referrals": referrals.PAGES,
    }
    for name, table in tables.items():
        for key, ending in table.items():
            other = "prompt-format" if ending == "operation-fault" else "operation-fault"
            yield Mutant("table", ending, f"{name}[{key!r}] names {other}", _naming(table, key, other))


def _naming(table: dict[Any, str], key: object, other: str) -> Callable[[], Applied]:
    @contextmanager
    def apply() -> Iterator[None]:
        kept = table[key]
        table[key] = other
        try:
            yield
        finally:
            table[key] = kept

    return apply


def of_guards() -> Iterator[Mutant]:
    """Each condition of each guard (`if …: return None`) in the modules of the rules dropped."""
    for name in MODULES:
        module = importlib.import_module(name)
        path = Path(str(module.__file__))
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for function in ast.walk(tree):
            if not isinstance(function, ast.FunctionDef):
                continue
            for guard in [each for each in function.body if _is_guard(each)]:
                for condition in range(_conditions(guard)):
                    broken = _without(tree, guard, condition)
                    shown = f"line {guard.lineno} without `{_shown(guard, condition)}`"
                    function_name = f"{path.stem}.{function.name}"
                    yield Mutant("guard", function_name, shown, _running(module, broken))


def _is_guard(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.If)
        and len(statement.body) == 1
        and isinstance(statement.body[0], ast.Return)
        and (statement.body[0].value is None or ast.unparse(statement.body[0].value) in {"None", "[]"})
    )


def _conditions(guard: ast.stmt) -> int:
    assert isinstance(guard, ast.If)
    either = isinstance(guard.test, ast.BoolOp) and isinstance(guard.test.op, ast.Or)
    return len(guard.test.values) if either and isinstance(guard.test, ast.BoolOp) else 1


def _shown(guard: ast.stmt, condition: int) -> str:
    assert isinstance(guard, ast.If)
    if _conditions(guard) == 1:
        return ast.unparse(guard.test)
    assert isinstance(guard.test, ast.BoolOp)
    return ast.unparse(guard.test.values[condition])


def _without(tree: ast.Module, guard: ast.stmt, condition: int) -> ast.Module:
    """A copy of the module whose guard lacks one condition."""
    broken = copy.deepcopy(tree)
    place = (guard.lineno, guard.col_offset)
    same = next(
        each
        for each in ast.walk(broken)
        if isinstance(each, ast.If) and (each.lineno, each.col_offset) == place
    )
    if isinstance(same.test, ast.BoolOp) and _conditions(same) > 1:
        del same.test.values[condition]
        if len(same.test.values) == 1:
            same.test = same.test.values[0]
    else:
        same.test = ast.Constant(value=False)
    return ast.fix_missing_locations(broken)


def _running(module: ModuleType, broken: ast.Module) -> Callable[[], Applied]:
    @contextmanager
    def apply() -> Iterator[None]:
        original = Path(str(module.__file__)).read_text(encoding="utf-8")
        kept = judging.judge.__kwdefaults__
        assert kept is not None
        before = kept["rules"]
        try:
            exec(compile(broken, str(module.__file__), "exec"), module.__dict__)
            importlib.reload(rules)
            kept["rules"] = rules.RULES
            yield
        finally:
            exec(compile(original, str(module.__file__), "exec"), module.__dict__)
            importlib.reload(rules)
            kept["rules"] = before

    return apply


# The run


def by_pages(mutants: list[Mutant], shown: list[Exhibit]) -> list[Result]:
    results: list[Result] = []
    for number, mutant in enumerate(mutants, 1):
        with mutant.apply():
            results.append(Result(mutant, killers(shown)))
        if number % 100 == 0:
            print(f"pages: {number} of {len(mutants)}", flush=True)
    return results


class UnitTests:
    """A plugin of pytest: what was collected once is run for each mutant, in a fork."""

    def __init__(self, mutants: list[Mutant]) -> None:
        self.mutants = mutants
        self.killed: list[bool] = []

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        assert session.items
        for mutant in self.mutants:
            with mutant.apply():
                self.killed.append(_fail(session))
            state = "killed" if self.killed[-1] else "SURVIVES"
            print(f"unit tests: {state}: {mutant.rule}: {mutant.how}", flush=True)
        return True


def _fail(session: pytest.Session) -> bool:
    """Does a test of the session fail as things are now? In a process of its own, which keeps the output."""
    child = os.fork()
    if child == 0:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        for item in session.items:
            session.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
            if session.testsfailed:
                os._exit(1)
        os._exit(0)
    _, waited = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(waited) != 0


def tried(mutants: list[Mutant], shown: list[Exhibit]) -> list[Result]:
    """What the pages do not notice is tried on the unit tests of the rules."""
    results = by_pages(mutants, shown)
    left = [each.mutant for each in results if not each.killers]
    if not left:
        return results
    unit_tests = UnitTests(left)
    options = ["-q", "-s", "-p", "no:cacheprovider", "-p", "no:xdist", "-o", "addopts="]
    pytest.main([*options, "--import-mode=importlib", *UNIT_TESTS], plugins=[unit_tests])
    killed = dict(zip(map(id, left), unit_tests.killed, strict=True))
    return [Result(each.mutant, ("unit tests",)) if killed.get(id(each.mutant)) else each for each in results]


def report(results: list[Result], shown: int) -> str:
    by_kind = {kind: [each for each in results if each.mutant.kind == kind] for kind in KINDS}
    lines = [
        "# Mutation check",
        "",
        "Written by `tools/mutate_rules.py`; do not edit. Every rule is broken in every way below, and",
        f"{shown} timelines, of the pages' scenarios and samples of the rules, are judged again. A mutant is",
        "killed by a page that then gets another ending, other codes or no evidence; else by the unit tests",
        "of the rules.",
        "",
        "| Mutants | | Killed by pages | Only by unit tests | Survive |",
        "|---|---|---|---|---|",
    ]
    for kind, words in KINDS.items():
        found = by_kind[kind]
        if not found:
            continue
        unit = sum(each.killers == ("unit tests",) for each in found)
        alive = sum(not each.killers for each in found)
        lines.append(f"| {words} | {len(found)} | {len(found) - unit - alive} | {unit} | {alive} |")
    lines += _survivors(results)
    lines += ["", "## Rules", "", "| Rule | Broken | Noticed by |", "|---|---|---|"]
    lines += [_line(each) for each in results if each.mutant.kind != "guard"]
    return "\n".join(lines) + "\n"


def _survivors(results: list[Result]) -> list[str]:
    alive = [each.mutant for each in results if not each.killers]
    if not alive:
        return []
    told = [f"- `{each.rule}`: {each.how}. {EQUIVALENT.get(_key(each), 'Not noticed.')}" for each in alive]
    return ["", "## Survivors", "", *told]


def _line(result: Result) -> str:
    mutant, found = result.mutant, result.killers
    more = f" and {len(found) - SAID} more" if len(found) > SAID else ""
    return f"| `{mutant.rule}` | {mutant.how} | {', '.join(found[:SAID])}{more} |"


def _key(mutant: Mutant) -> tuple[str, str]:
    """A guard by what it lacks, without the line."""
    return mutant.rule, mutant.how.partition("`")[2].rstrip("`") or mutant.how


KINDS = {
    "rule": "rules taken away, and rules that say yes to everything",
    "table": "entries of the tables of operations that name another page",
    "guard": "conditions of guards dropped",
}
EQUIVALENT: dict[tuple[str, str], str] = {
    ("speech-request-refused", "BY_FAULT['speech-refused'] names operation-fault"): (
        "What the speech endpoint refused is told by its HTTP status, which is asked for first."
    ),
}
"""Survivors that change nothing, each with its reason."""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--guards", action="store_true", help="drop conditions within rules too; writes nothing"
    )
    guards: bool = parser.parse_args().guards
    began = time.monotonic()
    os.chdir(ROOT)
    shown = exhibits()
    mutants = [*of_rules(), *of_tables(), *(of_guards() if guards else [])]
    print(
        f"{len(shown)} timelines after {time.monotonic() - began:.0f} s, {len(mutants)} mutants", flush=True
    )
    results = tried(mutants, shown)
    if not guards:
        DOC.write_text(report(results, len(shown)), encoding="utf-8")
    alive = [each.mutant for each in results if not each.killers]
    unexplained = [each for each in alive if _key(each) not in EQUIVALENT]
    print(f"{len(results)} mutants, {len(alive)} survive, {len(unexplained)} of them without a reason")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())

"""How fast codes are explained: many at once beside a plain dictionary look-up, and one at a time.

    python bench/explanations.py [--json] [--rows N] [--rounds N]

CPU seconds of one core; the best of several rounds. The rows are drawn from all pairs of the catalogue, as
calls end: a few pairs are frequent and most are rare. "new" are pairs that no table lists, each met once.
"""

import argparse
import json
import random
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial

from onhook.endings.bulk import Explanations, Pair, tally
from onhook.endings.codes import rows
from onhook.endings.lookup import look_up
from onhook.endings.match import Match
from onhook.endings.pages import pages_by_codes

WANTED_PER_SECOND = 500_000
WANTED_ONE_MS = 1.0
QUESTIONS = (
    "486/560486",
    "560486",
    "60486",
    "8536",
    "#7000",
    "ended. DiagCode: 0#7000.@",
    '{"data":{"resultInformation":{"code":401,"subCode":8565,"message":"x"}}}',
    "SIP/2.0 486 Busy Here\r\nReason: Q.850;cause=17",
    "Q.850;cause=31",
    "(8522) Call not found.\nCode: 8522\nMessage: Call not found.",
    "RestError: connect ECONNREFUSED 127.0.0.1:8443",
    "400 Play Failed",
    "cllee busy",
    "603",
    "560846",
)


def drawn(count: int) -> list[Pair]:
    """`count` rows of a log: every pair of the catalogue, the first of a shuffled list most often."""
    chance = random.Random(5)  # the same rows in each run, no secret
    pairs = [(row.code, row.subcode) for row in rows() if row.subcode is not None]
    chance.shuffle(pairs)
    weights = [1 / (place + 1) for place in range(len(pairs))]
    return chance.choices(pairs, weights, k=count)


def unlisted(count: int) -> list[Pair]:
    """Different pairs that a table does not have: statuses of either leg and numbers of no family."""
    chance = random.Random(6)  # as above
    return [(chance.randrange(400, 700), number) for number in chance.sample(range(1_000_000), count)]


def best_seconds(work: Callable[[], object], rounds: int) -> float:
    """CPU seconds of the fastest of `rounds`."""
    found: list[float] = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return min(found)


def drain(matches: Iterable[Match]) -> None:
    """Ask for each one, keep none."""
    deque(matches, maxlen=0)


def measure(count: int, rounds: int) -> dict[str, float]:
    """Explanations a second in bulk, and milliseconds for one question."""
    began = time.process_time()
    explanations = Explanations()
    filled = time.process_time() - began
    pairs = drawn(count)
    plain = {pair: explanations[pair] for pair in set(pairs)}
    new = unlisted(5_000)
    by_codes = pages_by_codes()
    fresh = Explanations({})
    slowest = max(best_seconds(partial(look_up, question, by_codes), 20) for question in QUESTIONS)
    return {
        "explained_per_second": count / best_seconds(lambda: drain(explanations.of(pairs)), rounds),
        "plain_dictionary_per_second": count
        / best_seconds(lambda: drain(map(plain.__getitem__, pairs)), rounds),
        "tallied_per_second": count / best_seconds(lambda: tally(pairs, explanations), rounds),
        "new_per_second": len(new) / best_seconds(lambda: drain(fresh.of(new)), 1),
        "slowest_question_ms": slowest * 1e3,
        "ready_after_ms": filled * 1e3,
    }


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args(arguments)
    told = measure(asked.rows, asked.rounds)
    if asked.json:
        print(json.dumps(told, indent=2))
    else:
        for name, value in told.items():
            print(f"{name.replace('_', ' '):<32}{value:>16,.2f}")
    fast = told["explained_per_second"] >= WANTED_PER_SECOND and told["slowest_question_ms"] < WANTED_ONE_MS
    return 0 if fast else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

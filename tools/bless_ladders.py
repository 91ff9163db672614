"""Write the ladder of every ending page anew, as its own scenario draws it.

python tools/bless_ladders.py          # rewrite src/onhook/endings/pages/*.md
python tools/bless_ladders.py --check  # exit 1 if one is stale (CI)
"""

import argparse
import re
import sys
from pathlib import Path

from onhook.config.stage import stage_of
from onhook.endings.ladder import draw
from onhook.lab.rehearsal import rehearse
from onhook.lab.scenario import parse_scenario

PAGES = Path(__file__).parents[1] / "src/onhook/endings/pages"
BLOCK = re.compile(r"(?<=```ladder\n).*?(?=```)", re.DOTALL)
SCENARIO = re.compile(r"```scenario\n(.*?)```", re.DOTALL)


def blessed(text: str) -> str:
    """The page with the ladder that its scenario gives; unchanged if it has no scenario."""
    found = SCENARIO.search(text)
    if found is None or not found[1].strip():
        return text
    scenario = parse_scenario(found[1])
    ladder = draw(rehearse(scenario, stage_of(scenario)).timeline).rstrip("\n") + "\n"
    return BLOCK.sub(lambda _: ladder, text)


def main() -> int:
    parser = argparse.ArgumentParser(description="Draw the ladders of the ending pages.")
    parser.add_argument("--check", action="store_true", help="only say which pages are stale")
    check = parser.parse_args().check
    stale = 0
    for page in sorted(PAGES.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        new = blessed(text)
        if new != text:
            stale += 1
            print(f"{'stale' if check else 'drawn'}: {page.name}")
            if not check:
                page.write_text(new, encoding="utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())

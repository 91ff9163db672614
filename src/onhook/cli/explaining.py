"""`onhook why`: of a kept call its verdict, of anything else what the tables know.

What is asked is the argument, the content of a file that it names, or what a pipe brings.
"""

import re
import sys
from pathlib import Path

from onhook.cli import colours
from onhook.cli.outcome import CommandError, Exit
from onhook.cli.output import print_json, say
from onhook.endings.lookup import look_up
from onhook.endings.pages import pages, pages_by_codes
from onhook.endings.render_answer import answer_dict, answer_markdown, answer_text
from onhook.endings.shelf import search_pages

CALL_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
BEGINNING = re.compile(r"(?=.*[a-f-])[0-9a-f]{8}(-[0-9a-f]{0,4}){0,4}[0-9a-f]{0,8}", re.IGNORECASE)
"""The first characters of a call's id, eight or more: digits alone are a code."""
MAX_READ = 65_536
"""Characters read from standard input, or bytes of a file."""
MAX_ENDINGS = 5
NO_TEXT = (
    "say what to explain: a code such as 486/560486, a call's id, `last`, a file, or pipe something in. "
    "See `onhook why --help`."
)


def why(words: list[str], config: str | None, form: str) -> int:
    """`words` are the arguments, none of them if a pipe brings the text; `form` is text, markdown or json."""
    text = _text(words)
    if text == "last" or CALL_ID.fullmatch(text) or BEGINNING.fullmatch(text):
        return _call(text, config, form)
    if text.lower() in pages():
        from onhook.cli.endings import show  # noqa: PLC0415  # most questions are about codes

        return show(text, form)
    answer = look_up(text, pages_by_codes())
    kept = _kept(answer.calls, config)
    if form == "json":
        print_json(answer_dict(answer))
    elif form == "markdown":
        say(answer_markdown(answer).rstrip("\n"))
    else:
        told = "".join(f"\nThis call is kept here: onhook why {one}\n" for one in kept)
        _show(answer_text(answer) + told + ("" if answer.matches else _endings_like(text)))
    return Exit.DONE if answer.matches else Exit.NO


def _endings_like(text: str) -> str:
    """Endings that fit words which no table of codes has."""
    found = search_pages(text)
    names = [hit.page.id for hit in found.hits[:MAX_ENDINGS]] or list(found.suggestions)
    return f"\nEndings that fit: {', '.join(names)} (onhook endings show ENDING)\n" if names else ""


def _text(words: list[str]) -> str:
    if not words or words == ["-"]:
        return _piped(asked=bool(words))
    text = " ".join(words).strip()
    return _file(text) if len(words) == 1 and re.search(r"[./\\]", text) else text


def _piped(*, asked: bool) -> str:
    """Standard input: what is piped in, or what a person types who asked for it with a dash."""
    try:
        if sys.stdin is not None and (asked or not sys.stdin.isatty()):
            return sys.stdin.read(MAX_READ).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"cannot read standard input: {error}.", Exit.UNAVAILABLE) from None
    raise CommandError(NO_TEXT, Exit.USAGE)


def _file(text: str) -> str:
    """The content, if `text` names a file; else the text itself. A code such as 486/560486 is no file."""
    try:
        path = Path(text)
        if not path.is_file():
            return text
        with path.open("rb") as file:
            return file.read(MAX_READ).decode("utf-8", "replace").strip()
    except (OSError, ValueError) as error:
        if isinstance(error, PermissionError):
            raise CommandError(f"cannot read {text}: {error.strerror}.", Exit.UNAVAILABLE) from None
        return text


def _kept(calls: tuple[str, ...], config: str | None) -> list[str]:
    """Which of these calls are in the store; none if there is no store to look at."""
    if not calls:
        return []
    from onhook.cli.kept import opened  # noqa: PLC0415  # a code needs neither store nor configuration

    try:
        with opened(config) as store:
            return [call for call in calls if store.call(call) is not None]
    except CommandError:
        return []


def _call(call_id: str, config: str | None, form: str) -> int:
    from onhook.cli.kept import find, opened  # noqa: PLC0415  # as above
    from onhook.server.explanations import tell  # noqa: PLC0415  # as above

    with opened(config) as store:
        record = find(store, call_id)
        told = tell(record, store.facts(record.id))
    if form == "json":
        print_json({"call": record.id, **told.json()})
    elif form == "markdown":
        say(told.markdown().rstrip("\n"))
    else:
        _show(told.text())
    return Exit.DONE


def _show(text: str) -> None:
    text = text.rstrip("\n")
    say(colours.painted(text) if colours.wanted() else text)

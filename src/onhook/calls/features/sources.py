"""What an application gives to be played, as media takes it.

Whether it can be played shows only when it is: a file that is not there, a text that is empty. Refused here
is what says no source at all (assumed; ACS answers 400/8523 for bodies that do not fit).
"""

from collections.abc import Sequence

from onhook.acs.errors import invalid_body
from onhook.acs.models import PlaySource, PlaySourceType
from onhook.effects import AudioSource, FileAudio, SpokenMarkup, SpokenText

MAX_SOURCES = 50
"""Of one play or recognize; a limit of ours."""


def audio_sources(given: Sequence[PlaySource], where: str) -> tuple[AudioSource, ...]:
    """`where` is the JSON path of the list. Raises ApiError 400."""
    if not given:
        raise invalid_body("No play source is given: name at least one file, text or ssml.", target=where)
    if len(given) > MAX_SOURCES:
        raise invalid_body(f"{len(given)} play sources are given; {MAX_SOURCES} is the limit.", target=where)
    return tuple(audio_source(source, f"{where}[{number}]") for number, source in enumerate(given))


def audio_source(source: PlaySource, where: str) -> AudioSource:
    """Raises ApiError 400 where the source lacks what its kind needs."""
    cache_id = source.play_source_cache_id or ""
    match source.kind:
        case PlaySourceType.FILE if source.file is not None:
            return FileAudio(source.file.uri, cache_id)
        case PlaySourceType.TEXT if source.text is not None:
            text = source.text
            return SpokenText(
                text.text,
                locale=text.source_locale or "",
                gender=text.voice_kind.value if text.voice_kind else "",
                voice=text.voice_name or "",
                model=text.custom_voice_endpoint_id or "",
                cache_id=cache_id,
            )
        case PlaySourceType.SSML if source.ssml is not None:
            return SpokenMarkup(
                source.ssml.ssml_text, source.ssml.custom_voice_endpoint_id or "", cache_id=cache_id
            )
        case _:
            kind = source.kind.value
            raise invalid_body(f"The play source is of kind {kind} and has no {kind}.", target=where)

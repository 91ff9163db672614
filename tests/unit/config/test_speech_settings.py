"""Speech in the configuration: what is read, and how it reaches the parts of media."""

from pathlib import Path

import pytest

from onhook.config import ConfigError, load
from onhook.config.parts import prompt_settings, speech_settings
from onhook.media.speech.settings import SpeechEndpoint

WHOLE = """
[prompt]
http = "always"
file_root = "prompts"
[speech]
built_in = false
recognizers = 4
[speech_endpoint.main]
endpoint = "https://speech.example/"
key = "hush"
[speech_endpoint.other]
endpoint = "http://127.0.0.1:8800"
key_header = "Authorization"
speak_url = "http://127.0.0.1:8800/tts"
listen_url = "http://127.0.0.1:8800/stt"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "onhook.toml"
    path.write_text(text)
    return path


def test_every_setting_reaches_its_part(tmp_path: Path) -> None:
    config = load(written(tmp_path, WHOLE), {})
    prompts, speech = prompt_settings(config), speech_settings(config)
    assert (prompts.http, prompts.file_root) == ("always", "prompts")
    assert (speech.built_in, speech.recognizers) == (False, 4)
    assert speech.endpoints == (
        SpeechEndpoint("https://speech.example/", "hush"),
        SpeechEndpoint(
            "http://127.0.0.1:8800",
            key_header="Authorization",
            speak_url="http://127.0.0.1:8800/tts",
            listen_url="http://127.0.0.1:8800/stt",
        ),
    )


def test_variables_name_an_endpoint_too() -> None:
    env = {
        "ONHOOK_SPEECH_ENDPOINT__MAIN__ENDPOINT": "https://speech.example",
        "ONHOOK_SPEECH_ENDPOINT__MAIN__KEY": "hush",
    }
    assert load(None, env).speech_endpoints == (SpeechEndpoint("https://speech.example", "hush"),)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[speech_endpoint.a]\nkey = "x"\n', "a.endpoint: missing: an https or http address is needed"),
        (
            '[speech_endpoint.a]\nendpoint = "speech.example"\n',
            "a.endpoint: expected an https or http address",
        ),
        (
            '[speech_endpoint.a]\nendpoint = "https://x/"\nkey_header = "a: b"\n',
            "a.key_header: expected the name",
        ),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as told:
        load(written(tmp_path, text), {})
    (fault,) = told.value.faults
    assert f"speech_endpoint.{problem}" in str(fault)

"""What an application does with a telephone in these tests: it plays the known prompt, and collects keys."""
# pyright: reportUnknownMemberType=false
# The SDK leaves its **kwargs untyped.

from typing import TypeAlias

from azure.communication.callautomation import (
    DtmfTone,
    FileSource,
    PhoneNumberIdentifier,
    RecognizeInputType,
)
from azure.communication.callautomation.aio import CallConnectionClient

from interop.baresip.desk import Desk
from interop.baresip.phone import Phone
from interop.linphone.softphone import Linphone
from interop.phone_audio import PLAYS, prompt

KEYS = "1397#"
TONES = ["one", "three", "nine", "seven"]
KEY_SECONDS = 0.3
Telephone: TypeAlias = Phone | Linphone


async def connection(desk: Desk, number: int = 1) -> CallConnectionClient:
    connected = await desk.event("CallConnected", number)
    return desk.client.get_call_connection(connected["callConnectionId"])


async def play(desk: Desk, call: CallConnectionClient) -> None:
    desk.prompt = prompt()
    for number in range(1, PLAYS + 1):
        await call.play_media_to_all(FileSource(url=f"{desk.address}/prompt.wav"))
        played = await desk.event("PlayCompleted", number)
        assert played["resultInformation"]["code"] == 200


async def collect(desk: Desk, call: CallConnectionClient, phone: Telephone, number: str) -> list[str]:
    """The tones that are recognised when the telephone of that number presses KEYS."""
    await call.start_recognizing_media(
        RecognizeInputType.DTMF,
        PhoneNumberIdentifier(number),
        dtmf_max_tones_to_collect=len(KEYS),
        dtmf_inter_tone_timeout=5,
        initial_silence_timeout=10,
        dtmf_stop_tones=[DtmfTone.POUND],
    )
    await phone.press(KEYS, KEY_SECONDS)
    recognised = await desk.event("RecognizeCompleted")
    tones: list[str] = recognised["dtmfResult"]["tones"]
    return tones

"""Why a source of a prompt cannot be played."""

from onhook.facts import PromptFault


class SourceFailed(Exception):
    """`fault` is the kind; the text says what was wrong with what. `http_status` if an answer said so."""

    def __init__(self, fault: PromptFault, detail: str, http_status: int | None = None) -> None:
        super().__init__(detail)
        self.fault: PromptFault = fault
        self.detail, self.http_status = detail, http_status

"""What is known of codes, as data: one CSV file for each table.

catalogue    every (code, subcode) that a Microsoft page or query names, described in our own words
sources      the documents behind the short citations of the catalogue, and what kind they are
sip_status   SIP statuses with their RFC, and the Q.850 cause that RFC 3398 section 8.2.6.1 gives back
q850         Q.850 causes, and the SIP status that RFC 3398 section 7.2.4.1 gives them
categories   categories for pairs that the sources leave without one (inferred)
families     what the digits of a subcode, or a code alone, tell
disputes     where documents contradict each other, or themselves, in words
reports      public reports of codes that mislead
tips         tips and known issues of the troubleshooting pages, and how each is checked
signals      which pair stands for which event on the wire
faults       what keeps an SDK from an answer, by words of its exceptions
aliases      misprints and second spellings: read, explained, never emitted
"""

import csv
from importlib import resources


def read_table(name: str) -> list[dict[str, str]]:
    """Rows of `name`.csv by column name, in file order; "-" is never used, empty means "not given".

    Raises FileNotFoundError for a table that is not listed above.
    """
    text = resources.files(__name__).joinpath(f"{name}.csv").read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))

"""Evidence of the endings whose cause is audio: for each the deciding fact, and every line."""

MEDIA_EVIDENCE: dict[str, tuple[int, list[tuple[int, str]]]] = {
    "media-relay-failed": (
        9,
        [
            (3, "the call was offered to trunk carrier"),
            (5, "trunk carrier reported 180: the phone rang"),
            (6, "trunk carrier answered"),
            (8, "rtpengine 127.0.0.1:22222 did not carry the audio: does not answer"),
            (9, "trunk carrier ended the call (BYE)"),
        ],
    ),
    "srtp-mismatch": (
        10,
        [
            (3, "the call was offered to trunk carrier"),
            (5, "trunk carrier reported 180: the phone rang"),
            (6, "trunk carrier answered"),
            (8, "trunk carrier ended the call (BYE)"),
            (
                10,
                (
                    "398 packets came from trunk carrier that the agreed keys do not open, and none "
                    "that they do (100 sent)"
                ),
            ),
        ],
    ),
    "codec-not-agreed": (
        8,
        [
            (1, "trunk carrier offered the call"),
            (3, "we reported 180: the phone rang"),
            (4, "we answered"),
            (6, "trunk carrier ended the call (BYE)"),
            (
                8,
                (
                    "398 packets came from trunk carrier with payload type 18, where PCMU was "
                    "agreed on (100 sent)"
                ),
            ),
        ],
    ),
    "one-way-audio": (
        10,
        [
            (3, "the call was offered to trunk carrier"),
            (5, "trunk carrier reported 180: the phone rang"),
            (6, "trunk carrier answered"),
            (8, "trunk carrier ended the call (BYE)"),
            (
                10,
                (
                    "400 packets came from trunk carrier, which reports that 97 of our 100 never "
                    "arrived: we heard it, and it did not hear us"
                ),
            ),
        ],
    ),
    "no-rtp-ever": (
        9,
        [
            (3, "the call was offered to trunk carrier"),
            (5, "trunk carrier reported 180: the phone rang"),
            (6, "trunk carrier answered"),
            (8, "no RTP had come from trunk carrier for 10.0 s"),
            (9, "the time that a call may be without RTP, 300 s, ran out"),
            (10, "we ended the call (BYE)"),
            (12, "no RTP came from trunk carrier while the call was up (15000 packets sent)"),
        ],
    ),
    "rtp-stopped": (
        9,
        [
            (3, "the call was offered to trunk carrier"),
            (5, "trunk carrier reported 180: the phone rang"),
            (6, "trunk carrier answered"),
            (8, "no RTP had come from trunk carrier for 10.0 s"),
            (9, "the time that a call may be without RTP, 300 s, ran out"),
            (10, "we ended the call (BYE)"),
            (12, "1500 packets had come from trunk carrier, and then none"),
        ],
    ),
}

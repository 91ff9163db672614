"""RTP of the calls."""

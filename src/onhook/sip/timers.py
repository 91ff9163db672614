"""The timer values of RFC 3261 (table 4, section 17) and RFC 6026, in seconds."""

T1 = 0.5
"""Round-trip estimate; the first retransmission comes after it."""
T2 = 4.0
"""The longest gap between retransmissions of a non-INVITE request or of a final response."""
T4 = 5.0
"""How long a message may stay in the network."""
GIVE_UP = 64 * T1
"""Timers B, F, H, J, L, M."""
ABSORB = 32.0
"""Timer D on an unreliable transport: at least 32 s."""

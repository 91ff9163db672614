"""What a call offers while it is up, beside being up: hold, prompts, digits, recording, transfer …

Each feature serves some operations of the API (feature.py), keeps what it needs in itself, and is made when
first asked for: a plain call has none.
"""

"""Legs of telephones by rtpengine: its ng protocol, a fleet of it, and the engine that is made of both."""

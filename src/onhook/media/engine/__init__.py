"""The embedded media engine: RTP of all legs in one thread, on one 20 ms tick, computed together in numpy.

What is told of a leg stands in `rows` as one row of many arrays, and each step of a tick works on all rows
at once: receive, play out, mix, encode, send. Python runs for a single leg only where something rare happens
to it: a digit, another stream, a lost packet to be concealed.
"""

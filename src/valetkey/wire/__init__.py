"""How bytes are spoken: sans-IO machines, bytes in and events out.

Nothing here knows a socket, a clock or anything else of Valetkey's.
"""

"""The twin: what a depot is, what it will do next, and the limits that hold meanwhile.

No sockets and no clock live here: facts come in as events, time is an argument, and decisions go out through ports.
"""

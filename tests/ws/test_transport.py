"""A client's socket, waited for."""

import socket

from opcws.ws.transport import Transport


def test_the_longest_time_that_the_configuration_takes_can_be_waited() -> None:
    """``poll`` counts milliseconds in 31 bits, which is 25 days."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert Transport(ours).wait_writable(4294967.0)

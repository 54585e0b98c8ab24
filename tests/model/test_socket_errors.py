"""What the error of a socket means, in the same words on any system."""

import errno
import os
import socket

import pytest

from opcws.model import socket_errors

OF_WINDOWS = {
    10048: errno.EADDRINUSE,
    10051: errno.ENETUNREACH,
    10054: errno.ECONNRESET,
    10060: errno.ETIMEDOUT,
    10061: errno.ECONNREFUSED,
    10065: errno.EHOSTUNREACH,
}


@pytest.mark.parametrize("number", OF_WINDOWS)
def test_an_error_of_windows_is_said_as_everywhere_else(number: int) -> None:
    here = socket_errors.text(OSError(OF_WINDOWS[number], "das System sagt etwas."))
    assert socket_errors.text(OSError(number, "das System sagt etwas.")) == here
    if os.name != "nt":
        assert here == os.strerror(OF_WINDOWS[number])


def test_a_name_that_is_not_known_is_said_as_everywhere_else() -> None:
    texts = {
        socket_errors.text(socket.gaierror(number, "getaddrinfo failed")) for number in (-2, 11001)
    }
    assert texts == {"Name or service not known"}


def test_another_error_is_said_in_the_system_s_words_without_its_full_stop() -> None:
    assert socket_errors.text(OSError(12345, "Das geht nicht.")) == "Das geht nicht"
    assert socket_errors.text(OSError("only a text")) == "only a text"

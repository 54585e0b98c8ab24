"""Texts for socket errors, the same on every system.

Windows has numbers of its own (``winsock2.h``), and describes them in the language of the machine,
which users cannot look up in the documentation.
"""

import errno

_TEXTS = {
    **dict.fromkeys((errno.EACCES, 10013), "Permission denied"),
    **dict.fromkeys((errno.EMFILE, 10024), "Too many open files"),
    **dict.fromkeys((errno.EADDRINUSE, 10048), "Address already in use"),
    **dict.fromkeys((errno.EADDRNOTAVAIL, 10049), "Cannot assign requested address"),
    **dict.fromkeys((errno.ENETDOWN, 10050), "Network is down"),
    **dict.fromkeys((errno.ENETUNREACH, 10051), "Network is unreachable"),
    **dict.fromkeys((errno.ENETRESET, 10052), "Network dropped connection on reset"),
    **dict.fromkeys((errno.ECONNABORTED, 10053), "Software caused connection abort"),
    **dict.fromkeys((errno.ECONNRESET, 10054), "Connection reset by peer"),
    **dict.fromkeys((errno.ENOBUFS, 10055), "No buffer space available"),
    **dict.fromkeys((errno.EPIPE, errno.ESHUTDOWN, 10058), "Broken pipe"),
    **dict.fromkeys((errno.ETIMEDOUT, 10060), "Connection timed out"),
    **dict.fromkeys((errno.ECONNREFUSED, 10061), "Connection refused"),
    **dict.fromkeys((errno.EHOSTUNREACH, 10065), "No route to host"),
    # getaddrinfo(3), whose numbers are below 0 with glibc.
    **dict.fromkeys((-2, -5, 11001, 11004), "Name or service not known"),
    **dict.fromkeys((-3, 11002), "Temporary failure in name resolution"),
}


def text(error: OSError) -> str:
    """A few words, without a full stop."""
    number = getattr(error, "winerror", None) or error.errno
    return _TEXTS.get(number or 0) or (error.strerror or str(error)).rstrip(". ")

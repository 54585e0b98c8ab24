"""A command on a pseudo-terminal; each wait for it has a deadline."""

import os
import select
import signal
import subprocess
import sys
import time
from typing import Optional

from . import PATIENCE, wait_until


class PseudoTerminal:
    """Python with *arguments* on its own pseudo-terminal.  *stdout* may be elsewhere."""

    def __init__(
        self,
        *arguments: str,
        columns: int = 100,
        lines: int = 12,
        stdout: Optional[int] = None,
        **environment: str,
    ) -> None:
        import pty

        self._leader, follower = pty.openpty()
        self.resize(columns, lines)
        variables = dict(os.environ, TERM="xterm", PYTHONIOENCODING="utf-8")
        for name in ("NO_COLOR", "COLUMNS", "LINES"):
            variables.pop(name, None)
        variables.update(environment)
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=follower,
            stdout=follower if stdout is None else stdout,
            stderr=follower,
            env=variables,
            start_new_session=True,
            preexec_fn=_take_terminal,  # so that typing Ctrl-C sends a signal
        )
        os.close(follower)
        self.output = b""

    @property
    def text(self) -> str:
        return self.output.decode("utf-8", "replace")

    def read(self, until: Optional[str] = None) -> str:
        """Read up to some text, or to the end."""
        deadline = time.monotonic() + 3 * PATIENCE
        while until is None or until not in self.text:
            assert time.monotonic() < deadline, (until, self.text)
            if not select.select([self._leader], [], [], 0.2)[0]:
                continue
            try:
                data = os.read(self._leader, 65536)
            except OSError:  # Linux: the other side has closed
                data = b""
            if not data:
                assert until is None, "ended without %r: %r" % (until, self.text)
                break
            self.output += data
        return self.text

    def answer(self, question: str, keys: bytes) -> None:
        """Type *keys* when *question* was asked and the program reads keys: until then the terminal
        echoes and edits them itself, or drops them."""
        import termios

        self.read(question)
        wait_until(
            lambda: not termios.tcgetattr(self._leader)[3] & termios.ECHO,
            "a question that waits for an answer: " + question,
        )
        self.type(keys)

    def type(self, keys: bytes) -> None:
        os.write(self._leader, keys)

    def resize(self, columns: int, lines: int) -> None:
        import fcntl
        import struct
        import termios

        size = struct.pack("HHHH", lines, columns, 0, 0)
        fcntl.ioctl(self._leader, termios.TIOCSWINSZ, size)

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def end(self) -> int:
        """Send Ctrl-C; returns the exit code."""
        self.interrupt()
        return self.ended()

    def ended(self) -> int:
        """The exit code, after reading everything."""
        self.read()
        return self.process.wait(PATIENCE)

    def __enter__(self) -> "PseudoTerminal":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.process.kill()
        self.process.wait(PATIENCE)
        os.close(self._leader)


def _take_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(2, termios.TIOCSCTTY, 0)

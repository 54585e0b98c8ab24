"""The connection of ``opcws reload`` and ``opcws stop`` to the opcws that serves a file, on any
system.

A socket on the loopback interface only, on a port of the system's choice.  The port and a secret
are in a file in ``state_dir`` that only its owner may read, named after the configuration file, so
that several opcws on one machine do not conflict.  One line of JSON asks, one line answers, and the
connection ends; that of a ``stop`` ends with the process, so the command knows the end.
(:mod:`multiprocessing.connection` was looked at: its listener waits for the answer to its challenge
without a time limit, so a silent client would block all others.)

Threads: ``start`` and ``stop`` on the owner's, the rest of :class:`Control` on ``opcws-control``;
:func:`ask` on the caller's.
"""

import contextlib
import hashlib
import hmac
import json
import logging
import os
import secrets
import selectors
import socket
import threading
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional

from ..model import atomic_file, socket_errors
from ..model.deadline import Deadline
from ..model.errors import ControlError

log = logging.getLogger(__name__)

# select() accepts no descriptor above 1023 (except on Windows), and clients may have taken the
# lower ones.
_Selector: Any = getattr(selectors, "PollSelector", selectors.SelectSelector)

#: Largest line in bytes: of a request, of an answer.
MAX_REQUEST_BYTES = 4096
MAX_ANSWER_BYTES = 16 * 1024 * 1024
#: Seconds within which a whole request must arrive.
REQUEST_S = 2.0
#: Delay in seconds of the refusal of a wrong secret.
REFUSAL_S = 0.5
#: Seconds between attempts while the process has no file descriptor left.
PAUSE_S = 0.5
#: Seconds in which a live opcws answers a ping.
PING_S = 2.0


class Place(NamedTuple):
    """The port of an opcws, and the secret."""

    port: int
    secret: str
    pid: int


def control_file(state_dir: str, config_path: str) -> str:
    """The file in *state_dir* of the opcws that serves *config_path*."""
    identity = os.path.normcase(os.path.realpath(config_path))
    digest = hashlib.sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()
    return os.path.join(state_dir, "opcws-%s.json" % digest[:16])


class Control:
    """Answers requests with the secret.

    *commands* by name return the answer; a command may take long, but must end when opcws does.
    *stop* makes opcws stop soon.
    """

    def __init__(
        self,
        state_dir: str,
        config_path: str,
        commands: Mapping[str, Callable[[], Mapping[str, Any]]],
        stop: Callable[[], None] = lambda: None,
    ) -> None:
        self.path = control_file(state_dir, config_path)
        self._commands = commands
        self._stop = stop
        self._secret = secrets.token_hex(32)
        self._made_directory = False
        self._sock: Optional[socket.socket] = None
        self._waker, self._woken = socket.socketpair()
        self._stopping = threading.Event()
        self._thread: Optional[threading.Thread] = None

    def start(self) -> None:
        """Listen, and write the file.  Errors are only logged: opcws serves without this."""
        if _lives(self.path):
            log.warning(
                "another opcws serves the same configuration; 'opcws reload' and 'opcws stop' "
                "reach that one"
            )
            return
        try:
            sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            self._sock = sock
            sock.bind(("127.0.0.1", 0))
            sock.listen(8)
            sock.setblocking(False)
            self._leave_file(Place(sock.getsockname()[1], self._secret, os.getpid()))
        except OSError as error:
            log.warning(
                "'opcws reload' and 'opcws stop' cannot reach this opcws: %s: %s; set state_dir "
                "to a directory that opcws may write",
                self.path,
                error.strerror or error,
            )
            self._close()
            return
        # A daemon, because a hanging command must not keep the process alive; stop() joins it.
        self._thread = threading.Thread(target=self._run, name="opcws-control", daemon=True)
        self._thread.start()

    def stop(self, deadline: Deadline) -> None:
        """Remove the file and end the thread."""
        self._stopping.set()
        self._waker.send(b"x")
        if self._thread is not None:
            self._take_file_away()
            self._thread.join(deadline.remaining())
        self._close()
        self._waker.close()
        self._woken.close()

    def _close(self) -> None:
        if self._sock is not None:
            self._sock.close()

    def _leave_file(self, place: Place) -> None:
        directory = os.path.dirname(self.path)
        if not os.path.isdir(directory):
            os.makedirs(directory, 0o700)
            self._made_directory = True
        with atomic_file.replacing(self.path) as file:
            file.write(json.dumps(place._asdict()).encode("ascii"))

    def _take_file_away(self) -> None:
        try:
            place = _place(self.path)
            if place is not None and hmac.compare_digest(place.secret, self._secret):
                atomic_file.patiently(lambda: os.unlink(self.path), 10)
            if self._made_directory:
                os.rmdir(os.path.dirname(self.path))
        except OSError as error:
            log.debug("%s: %s", self.path, error)

    # --- opcws-control --------------------------------------------------------------------------

    def _run(self) -> None:
        assert self._sock is not None
        with _Selector() as selector:
            for sock in (self._sock, self._woken):
                selector.register(sock, selectors.EVENT_READ)
            while not self._stopping.is_set():
                try:
                    selector.select()
                    client, _address = self._sock.accept()
                except (BlockingIOError, ConnectionError):
                    continue  # woken up, or the client left while it waited
                except OSError as error:  # no descriptor left, perhaps only for now
                    log.warning("control: %s", socket_errors.text(error))
                    self._stopping.wait(PAUSE_S)
                    continue
                with client:
                    try:
                        self._serve(client)
                    except OSError as error:
                        log.debug("control: %s", error)
                    except Exception:
                        log.exception("a defect in a command")

    def _serve(self, client: socket.socket) -> None:
        line = _line(client, MAX_REQUEST_BYTES, Deadline(REQUEST_S))
        try:
            request = json.loads(line)
            secret, command = str(request["secret"]), str(request["command"])
        except (ValueError, TypeError, LookupError, RecursionError):
            secret, command = "", ""
        if not hmac.compare_digest(secret.encode("utf-8", "replace"), self._secret.encode()):
            log.warning("control: a connection with a wrong secret was refused")
            self._stopping.wait(REFUSAL_S)
            answer: Mapping[str, Any] = {"problems": ["the secret is wrong"]}
        elif command == "ping":
            answer = {"pid": os.getpid()}
        elif command in self._commands:
            answer = self._commands[command]()
        elif command == "stop":
            answer = {"pid": os.getpid()}
        else:
            answer = {"problems": ["this opcws knows no command %r" % command[:40]]}
        client.settimeout(REQUEST_S)
        client.sendall(json.dumps(answer).encode() + b"\n")
        if command == "stop" and "pid" in answer:
            client.detach()  # only the end of the process closes it
            self._stop()


def ask(state_dir: str, config_path: str, command: str, seconds: float) -> Dict[str, Any]:
    """The answer of the opcws that serves *config_path*, within *seconds*; for ``stop`` after the
    end of its process.

    Raises :exc:`~opcws.model.errors.ControlError`.
    """
    path = control_file(state_dir, config_path)
    try:
        place = _place(path)
    except PermissionError:
        raise ControlError(
            "only the user that opcws runs as may read %s; run this command as that user" % path
        ) from None
    except OSError as error:
        raise ControlError("%s cannot be read: %s" % (path, error.strerror or error)) from None
    if place is None:
        raise ControlError("no opcws serves %s: there is no %s" % (config_path, path))
    return _asked(path, place, config_path, command, Deadline(seconds))


def _asked(
    path: str, place: Place, config_path: str, command: str, deadline: Deadline
) -> Dict[str, Any]:
    due = "answer"
    try:
        with socket.create_connection(("127.0.0.1", place.port), deadline.bounded(5.0)) as sock:
            request = {"secret": place.secret, "command": command}
            sock.sendall(json.dumps(request).encode() + b"\n")
            answer = _answer(_line(sock, MAX_ANSWER_BYTES, deadline))
            if command == "stop" and "pid" in answer:
                due = "end"
                with contextlib.suppress(ConnectionError):  # the expected end
                    _line(sock, MAX_ANSWER_BYTES, deadline)
    except (TimeoutError, socket.timeout):
        raise ControlError("opcws did not %s in time; its log says more" % due) from None
    except OSError:
        raise ControlError(
            "no opcws serves %s any more; %s is left over from an opcws that ended abruptly"
            % (config_path, path)
        ) from None
    except (ValueError, RecursionError):
        raise ControlError(
            "the program that listens on port %d is not opcws; %s is left over from an opcws "
            "that ended abruptly" % (place.port, path)
        ) from None
    return answer


def _answer(line: bytes) -> Dict[str, Any]:
    """Raises :exc:`ValueError` or :exc:`RecursionError` if it is not the answer of an opcws."""
    answer = json.loads(line)
    if not isinstance(answer, dict):
        raise ValueError("no object")
    return answer


def _lives(path: str) -> bool:
    """Whether the opcws that wrote *path* still answers."""
    try:
        place = _place(path)
        return place is not None and "pid" in _asked(path, place, "", "ping", Deadline(PING_S))
    except (OSError, ControlError):
        return False


def _place(path: str) -> Optional[Place]:
    """The content of the file; ``None`` if there is none, or opcws has not written it."""
    try:
        with open(path, encoding="utf-8") as file:
            found = json.loads(file.read(MAX_REQUEST_BYTES))
        return Place(int(found["port"]), str(found["secret"]), int(found["pid"]))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, LookupError, RecursionError):
        return None


def _line(sock: socket.socket, most: int, deadline: Deadline) -> bytes:
    """Bytes up to the first line end; raises :exc:`OSError` if none comes in time, or the line
    is longer than *most*."""
    parts: List[bytes] = []
    size = 0
    while not (parts and b"\n" in parts[-1]):
        left = deadline.bounded(3600.0)
        if not left:
            raise TimeoutError("no answer in time")
        sock.settimeout(left)
        try:
            data = sock.recv(65536)
        except socket.timeout:
            raise TimeoutError("no answer in time") from None
        size += len(data)
        if not data or size > most:
            raise ConnectionError("no line")
        parts.append(data)
    return b"".join(parts)

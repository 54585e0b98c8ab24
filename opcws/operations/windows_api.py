"""Calls of advapi32 for services: the service control manager (SCM), rights on folders, and the
Event Log.

Each function is one step of :mod:`.windows_service`, and raises
:exc:`~opcws.model.errors.ControlError` with a sentence if Windows refuses it.  (pywin32 was looked
at: it has all of this, but its service host is a separate program, which would have to be added to
every Python.)

Threads: :class:`ServiceProcess` says which of its methods run where; the rest is called by a
command.
"""

import contextlib
import ctypes
import hashlib
import struct
import threading
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, NoReturn, Sequence

from ..model.errors import ControlError

# winsvc.h
STOPPED, START_PENDING, STOP_PENDING, RUNNING = 1, 2, 3, 4
CONTROL_STOP, CONTROL_INTERROGATE, CONTROL_SHUTDOWN, CONTROL_PRESHUTDOWN = 1, 4, 5, 15
ACCEPTED = 0x1 | 0x4 | 0x100  # stop, shutdown, preshutdown
_OWN_PROCESS, _AUTO_START, _ERROR_NORMAL = 0x10, 2, 1
_MANAGER_CONNECT, _MANAGER_CREATE = 0x1, 0x3
_QUERY, _START, _STOP, _ALL = 0x5, 0x15, 0x25, 0xF01FF
_DESCRIPTION, _FAILURE_ACTIONS, _DELAYED_START, _PRESHUTDOWN = 1, 2, 3, 7
_RESTART = 1
# winnt.h, accctrl.h: read, write, make and delete, but neither the owner nor the rights
_MODIFY = 0x1301BF
_FILE_OBJECT, _DACL = 1, 4
_GRANT, _REVOKE = 1, 4
_INHERITED_BY_ALL = 3
_SYNCHRONIZE = 0x100000
# winerror.h
NOT_FOUND, EXISTS, NOT_ACTIVE, ALREADY_RUNS = 1060, 1073, 1062, 1056
NOT_NOW = 1061, 1052  # while it starts or ends
NOT_STARTED_BY_SCM, SPECIFIC = 1063, 1066
_NOT_IMPLEMENTED, _NO_SUCH_PROCESS = 120, 87

#: Seconds within which a service must stop: twice the longest time of opcws.
STOP_S = 15.0

#: Sentences for errors that Windows reports only by number, or in the language of the machine.
_SENTENCES = {
    5: "Windows refuses it; run this as an administrator",
    NOT_FOUND: "there is no such service; install it first",
    1053: "it did not start within the time that Windows allows; the Event Log says more",
    1058: "it is disabled; enable it in services.msc",
    1069: "its account may not log on as a service; give 'NT SERVICE\\ALL SERVICES' that right",
    1072: "it is still being removed; close services.msc and other programs that show it",
    NOT_STARTED_BY_SCM: "only Windows starts 'service run'; use 'opcws service start'",
}

_last_error: Callable[[], int] = getattr(ctypes, "get_last_error", int)
_functype: Callable[..., Any] = getattr(ctypes, "WINFUNCTYPE", ctypes.CFUNCTYPE)
_DWORD, _TEXT, _POINTER = ctypes.c_uint32, ctypes.c_wchar_p, ctypes.c_void_p
_MAIN = _functype(None, _DWORD, _POINTER)
_HANDLER = _functype(_DWORD, _DWORD, _DWORD, _POINTER, _POINTER)


def _fields(**kinds: Any) -> List[Any]:
    return list(kinds.items())


class ServiceStatus(ctypes.Structure):
    """SERVICE_STATUS_PROCESS, which begins with SERVICE_STATUS."""

    _fields_ = _fields(
        type=_DWORD,
        state=_DWORD,
        accepted=_DWORD,
        exit_code=_DWORD,
        specific_exit_code=_DWORD,
        checkpoint=_DWORD,
        wait_hint_ms=_DWORD,
        process_id=_DWORD,
        flags=_DWORD,
    )


class _ServiceConfig(ctypes.Structure):
    """QUERY_SERVICE_CONFIGW."""

    _fields_ = _fields(
        type=_DWORD,
        start=_DWORD,
        error_control=_DWORD,
        command=_TEXT,
        group=_TEXT,
        tag=_DWORD,
        dependencies=_POINTER,
        account=_TEXT,
        display_name=_TEXT,
    )


class Action(ctypes.Structure):
    """SC_ACTION."""

    _fields_ = _fields(type=ctypes.c_int, delay_ms=_DWORD)


class FailureActions(ctypes.Structure):
    """SERVICE_FAILURE_ACTIONSW."""

    _fields_ = _fields(
        reset_s=_DWORD,
        message=_TEXT,
        command=_TEXT,
        count=_DWORD,
        actions=ctypes.POINTER(Action),
    )


class _TableEntry(ctypes.Structure):
    """SERVICE_TABLE_ENTRYW."""

    _fields_ = _fields(name=_TEXT, main=_MAIN)


class _Trustee(ctypes.Structure):
    """TRUSTEE_W of the form TRUSTEE_IS_SID, which is 0."""

    _fields_ = _fields(
        multiple=_POINTER,
        operation=ctypes.c_int,
        form=ctypes.c_int,
        type=ctypes.c_int,
        sid=_POINTER,
    )


class _ExplicitAccess(ctypes.Structure):
    """EXPLICIT_ACCESS_W."""

    _fields_ = _fields(rights=_DWORD, mode=ctypes.c_int, inheritance=_DWORD, trustee=_Trustee)


#: Result and argument types of the functions of advapi32.
_FUNCTIONS: Dict[str, Sequence[Any]] = {
    "OpenSCManagerW": (_POINTER, _TEXT, _TEXT, _DWORD),
    "OpenServiceW": (_POINTER, _POINTER, _TEXT, _DWORD),
    "CloseServiceHandle": (_DWORD, _POINTER),
    "CreateServiceW": (
        *(_POINTER, _POINTER, _TEXT, _TEXT, _DWORD, _DWORD, _DWORD, _DWORD, _TEXT),
        *(_TEXT, _POINTER, _TEXT, _TEXT, _TEXT),
    ),
    "ChangeServiceConfigW": (
        *(_DWORD, _POINTER, _DWORD, _DWORD, _DWORD, _TEXT, _TEXT, _POINTER, _TEXT),
        *(_TEXT, _TEXT, _TEXT),
    ),
    "ChangeServiceConfig2W": (_DWORD, _POINTER, _DWORD, _POINTER),
    "QueryServiceConfigW": (_DWORD, _POINTER, _POINTER, _DWORD, _POINTER),
    "QueryServiceConfig2W": (_DWORD, _POINTER, _DWORD, _POINTER, _DWORD, _POINTER),
    "QueryServiceStatusEx": (_DWORD, _POINTER, _DWORD, _POINTER, _DWORD, _POINTER),
    "StartServiceW": (_DWORD, _POINTER, _DWORD, _POINTER),
    "ControlService": (_DWORD, _POINTER, _DWORD, _POINTER),
    "DeleteService": (_DWORD, _POINTER),
    "StartServiceCtrlDispatcherW": (_DWORD, _POINTER),
    "RegisterServiceCtrlHandlerExW": (_POINTER, _TEXT, _HANDLER, _POINTER),
    "SetServiceStatus": (_DWORD, _POINTER, _POINTER),
    "ConvertStringSidToSidW": (_DWORD, _TEXT, _POINTER),
    "GetNamedSecurityInfoW": (_DWORD, _TEXT, *(_DWORD,) * 2, *(_POINTER,) * 5),
    "SetNamedSecurityInfoW": (_DWORD, _TEXT, *(_DWORD,) * 2, *(_POINTER,) * 4),
    "SetEntriesInAclW": (_DWORD, _DWORD, _POINTER, _POINTER, _POINTER),
    "ConvertSecurityDescriptorToStringSecurityDescriptorW": (
        *(_DWORD, _POINTER, _DWORD, _DWORD, _POINTER, _POINTER),
    ),
    "RegisterEventSourceW": (_POINTER, _TEXT, _TEXT),
    "ReportEventW": (
        *(_DWORD, _POINTER, ctypes.c_uint16, ctypes.c_uint16, _DWORD, _POINTER),
        *(ctypes.c_uint16, _DWORD, _POINTER, _POINTER),
    ),
    "GetUserNameW": (_DWORD, _POINTER, _POINTER),
}


def advapi32() -> Any:
    """The library, with the types of its functions; only on Windows."""
    library = ctypes.__dict__["WinDLL"]("advapi32", use_last_error=True)
    for name, (result, *arguments) in _FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def kernel32() -> Any:
    library = ctypes.__dict__["WinDLL"]("kernel32", use_last_error=True)
    library.OpenProcess.restype = _POINTER
    library.OpenProcess.argtypes = _DWORD, _DWORD, _DWORD
    library.WaitForSingleObject.argtypes = _POINTER, _DWORD
    library.CloseHandle.argtypes = library.LocalFree.argtypes = (_POINTER,)
    return library


class WindowsError(ControlError):
    """Windows refuses something, by the number *code* of winerror.h."""

    def __init__(self, what: str, code: int) -> None:
        format_error: Callable[[int], str] = getattr(ctypes, "FormatError", lambda code: "")
        words = _SENTENCES.get(code) or format_error(code).strip().rstrip(".")
        super().__init__("%s: %s (Windows error %d)" % (what, words or "no reason given", code))
        self.code = code


def _refused(what: str) -> NoReturn:
    raise WindowsError(what, _last_error())


# --- services, as an administrator sees them ------------------------------------------------------


class Settings(NamedTuple):
    """How a service was installed."""

    command: str
    account: str


class ServiceManager:
    """The SCM.  Each method raises :exc:`WindowsError`."""

    def __init__(self, api: Any = None) -> None:
        self._api = advapi32() if api is None else api

    def create(self, name: str, display_name: str, command: str, account: str) -> bool:
        """Install the service *name*, which starts with Windows, or change it; returns whether it
        is new."""
        with self._manager(_MANAGER_CREATE, name) as manager:
            made = self._api.CreateServiceW(
                *(manager, name, display_name, _ALL, _OWN_PROCESS, _AUTO_START, _ERROR_NORMAL),
                *(command, None, None, None, account, None),
            )
            if made:
                self._api.CloseServiceHandle(made)
                return True
            if _last_error() != EXISTS:
                _refused("the service %s cannot be installed" % name)
        with self._service(name, _ALL) as service:
            if not self._api.ChangeServiceConfigW(
                *(service, _OWN_PROCESS, _AUTO_START, _ERROR_NORMAL, command, None, None, None),
                *(account, None, display_name),
            ):
                _refused("the service %s cannot be changed" % name)
        return False

    def describe(self, name: str, description: str) -> None:
        self._configure(name, _DESCRIPTION, ctypes.c_wchar_p(description), "its description")

    def delay_start(self, name: str) -> None:
        """Let it start after the services that Windows itself needs."""
        self._configure(name, _DELAYED_START, _DWORD(1), "its start after those of Windows")

    def allow_at_shutdown(self, name: str, seconds: float) -> None:
        """How long Windows waits for its end when it shuts down."""
        self._configure(name, _PRESHUTDOWN, _DWORD(int(seconds * 1000)), "its time at shutdown")

    def restart_after_failure(self, name: str, delays_s: Sequence[float], reset_s: int) -> None:
        """Start it again so many seconds after the first, the second and each later failure, when
        its process ended without a report; the count begins again after *reset_s* without a
        failure."""
        each_of = [Action(_RESTART, int(each * 1000)) for each in delays_s]
        actions = (Action * len(delays_s))(*each_of)
        wanted = FailureActions(reset_s, None, None, len(delays_s), actions)
        self._configure(name, _FAILURE_ACTIONS, wanted, "its recovery")
        buffer = ctypes.create_string_buffer(8192)
        needed = ctypes.byref(_DWORD())
        with self._service(name, _QUERY) as service:
            if not self._api.QueryServiceConfig2W(
                service, _FAILURE_ACTIONS, buffer, len(buffer), needed
            ) or FailureActions.from_buffer(buffer).count != len(delays_s):
                _refused("%s: its recovery was set, but is not there" % name)

    def delete(self, name: str) -> None:
        with self._service(name, _ALL) as service:
            if not self._api.DeleteService(service):
                _refused("the service %s cannot be removed" % name)

    def start(self, name: str) -> None:
        """Start its process, without waiting until it is ready."""
        with self._service(name, _START) as service:
            if not self._api.StartServiceW(service, 0, None) and _last_error() != ALREADY_RUNS:
                _refused("the service %s cannot be started" % name)

    def stop(self, name: str) -> None:
        """Ask it to stop; does nothing if it does not run, or cannot be asked now."""
        status = ctypes.byref(ServiceStatus())
        with self._service(name, _STOP) as service:
            told = self._api.ControlService(service, CONTROL_STOP, status)
            if not told and _last_error() not in (NOT_ACTIVE, *NOT_NOW):
                _refused("the service %s cannot be stopped" % name)

    def status(self, name: str) -> ServiceStatus:
        found = ServiceStatus()
        with self._service(name, _QUERY) as service:
            if not self._api.QueryServiceStatusEx(
                service, 0, ctypes.byref(found), ctypes.sizeof(found), ctypes.byref(_DWORD())
            ):
                _refused("the service %s cannot be looked at" % name)
        return found

    def settings(self, name: str) -> Settings:
        buffer = ctypes.create_string_buffer(8192)
        with self._service(name, _QUERY) as service:
            if not self._api.QueryServiceConfigW(
                service, buffer, len(buffer), ctypes.byref(_DWORD())
            ):
                _refused("the service %s cannot be looked at" % name)
        found = _ServiceConfig.from_buffer(buffer)
        return Settings(found.command or "", found.account or "")

    def _configure(self, name: str, level: int, info: Any, what: str) -> None:
        with self._service(name, _ALL) as service:
            if not self._api.ChangeServiceConfig2W(service, level, ctypes.byref(info)):
                _refused("%s: %s cannot be set" % (name, what))

    @contextlib.contextmanager
    def _manager(self, rights: int, name: str) -> Iterator[Any]:
        manager = self._api.OpenSCManagerW(None, None, rights)
        if not manager:
            _refused("the service %s" % name)
        try:
            yield manager
        finally:
            self._api.CloseServiceHandle(manager)

    @contextlib.contextmanager
    def _service(self, name: str, rights: int) -> Iterator[Any]:
        with self._manager(_MANAGER_CONNECT, name) as manager:
            service = self._api.OpenServiceW(manager, name, rights)
            if not service:
                _refused("the service %s" % name)
            try:
                yield service
            finally:
                self._api.CloseServiceHandle(service)


def wait_for_process(process_id: int, seconds: float) -> bool:
    """Whether *process_id* has ended within *seconds*."""
    api = kernel32()
    handle = api.OpenProcess(_SYNCHRONIZE, 0, process_id)
    if not handle:
        return _last_error() == _NO_SUCH_PROCESS
    try:
        return bool(api.WaitForSingleObject(handle, int(seconds * 1000)) == 0)
    finally:
        api.CloseHandle(handle)


# --- the process of a service ---------------------------------------------------------------------


class ServiceProcess:
    """This process as the service *name*; *stop* is called on ``opcws-service`` when it must end,
    and must not wait."""

    def __init__(self, name: str, stop: Callable[[], None], api: Any = None) -> None:
        self._name = name
        self._stop = stop
        self._api = advapi32() if api is None else api
        self._handle: Any = None
        self._error = 0
        # Guards the next two, and the order of reports to Windows.
        self._lock = threading.Lock()
        self._state = START_PENDING
        self._checkpoint = 0
        self._connected = threading.Event()
        self._ended = threading.Event()
        # Kept alive, because Windows calls them.
        self._callbacks = _MAIN(self._main), _HANDLER(self._control)
        # A daemon, because Windows ends it.
        self._thread = threading.Thread(target=self._dispatch, name="opcws-service", daemon=True)

    def connect(self, seconds: float) -> None:
        """Report the process to the SCM, which expects this within 30 s of its start.

        Raises :exc:`WindowsError`, also if the SCM did not start this process.
        """
        self._thread.start()
        if not self._connected.wait(seconds) or self._handle is None:
            raise WindowsError("the service %s" % self._name, self._error or 1053)

    def report(self, state: int, wait_hint_s: float = 0.0, exit_code: int = 0) -> None:
        """Report the state; *wait_hint_s* is the longest time until the next report, and
        *exit_code* that of opcws with STOPPED. A process that must end never reports RUNNING
        again."""
        with self._lock:
            ending = self._state in (STOP_PENDING, STOPPED)
            if ending and state in (START_PENDING, RUNNING):
                return
            pending = state in (START_PENDING, STOP_PENDING)
            self._checkpoint = self._checkpoint + 1 if pending else 0
            self._state = state
            status = ServiceStatus(
                *(_OWN_PROCESS, state, ACCEPTED if state == RUNNING else 0),
                *(SPECIFIC if exit_code else 0, exit_code),
                *(self._checkpoint, int(wait_hint_s * 1000)),
            )
            if not self._api.SetServiceStatus(self._handle, ctypes.byref(status)):
                _refused("the service %s cannot tell Windows how it is" % self._name)

    def end(self, exit_code: int, seconds: float) -> None:
        """The last report; then the process should end, within *seconds* at most."""
        self.report(STOPPED, exit_code=exit_code)
        self._ended.set()
        self._thread.join(seconds)

    # --- opcws-service --------------------------------------------------------------------------

    def _dispatch(self) -> None:
        table = (_TableEntry * 2)(_TableEntry(self._name, self._callbacks[0]))  # and an empty one
        if not self._api.StartServiceCtrlDispatcherW(table):
            self._error = _last_error()
        self._connected.set()

    def _control(self, control: int, _kind: int, _data: Any, _context: Any) -> int:
        if control in (CONTROL_STOP, CONTROL_SHUTDOWN, CONTROL_PRESHUTDOWN):
            self.report(STOP_PENDING, STOP_S)
            self._stop()
            return 0
        return 0 if control == CONTROL_INTERROGATE else _NOT_IMPLEMENTED

    # --- a thread that Windows makes --------------------------------------------------------------

    def _main(self, _count: int, _arguments: Any) -> None:
        self._handle = self._api.RegisterServiceCtrlHandlerExW(self._name, self._callbacks[1], None)
        self._error = _last_error()
        self._connected.set()
        self._ended.wait()


def user_name(api: Any = None) -> str:
    """The user of this process."""
    buffer = ctypes.create_unicode_buffer(257)
    size = ctypes.byref(_DWORD(len(buffer)))
    return buffer.value if (api or advapi32()).GetUserNameW(buffer, size) else ""


# --- rights on a folder ---------------------------------------------------------------------------


def service_sid(name: str) -> str:
    """The SID of ``NT SERVICE\\NAME``, which Windows makes of the name; as text."""
    digest = hashlib.sha1(name.upper().encode("utf-16-le")).digest()
    return "S-1-5-80-%d-%d-%d-%d-%d" % struct.unpack("<5I", digest)


def grant(folder: str, sid: str, api: Any = None, system: Any = None) -> None:
    """Let *sid* read, write and delete in *folder* and below.

    Raises :exc:`~opcws.model.errors.ControlError`, also if the file system has no rights.
    """
    if sid not in _change_rights(folder, sid, _GRANT, api, system):
        raise ControlError(
            "the disk of %s keeps no rights, so everybody has those that the service needs; "
            "choose a folder on an NTFS disk" % folder
        )


def revoke(folder: str, sid: str, api: Any = None, system: Any = None) -> None:
    """Undo :func:`grant`.  Raises :exc:`WindowsError`."""
    _change_rights(folder, sid, _REVOKE, api, system)


def _change_rights(folder: str, sid_text: str, mode: int, api: Any, system: Any) -> str:
    """The rights of *folder* after the change, as text (SDDL)."""
    api, system = api or advapi32(), system or kernel32()
    what = "the rights of %s cannot be changed" % folder
    freed: List[Any] = []

    def out() -> Any:
        freed.append(_POINTER())
        return freed[-1]

    def good(code: int) -> None:
        if code:
            raise WindowsError(what, code)

    def read() -> Any:
        descriptor, rights = out(), _POINTER()
        good(
            api.GetNamedSecurityInfoW(
                *(folder, _FILE_OBJECT, _DACL, None, None, ctypes.byref(rights), None),
                ctypes.byref(descriptor),
            )
        )
        return rights, descriptor

    try:
        sid = out()
        if not api.ConvertStringSidToSidW(sid_text, ctypes.byref(sid)):
            _refused(what)
        rights, _descriptor = read()
        entry = _ExplicitAccess(_MODIFY, mode, _INHERITED_BY_ALL, _Trustee(sid=sid))
        changed = out()
        good(api.SetEntriesInAclW(1, ctypes.byref(entry), rights, ctypes.byref(changed)))
        good(api.SetNamedSecurityInfoW(folder, _FILE_OBJECT, _DACL, None, None, changed, None))
        _rights, descriptor = read()
        text = out()
        if not api.ConvertSecurityDescriptorToStringSecurityDescriptorW(
            descriptor, 1, _DACL, ctypes.byref(text), None
        ):
            _refused(what)
        return ctypes.wstring_at(text.value) if text.value else ""
    finally:
        for each in freed:
            if each.value:
                system.LocalFree(each)


# --- the Event Log --------------------------------------------------------------------------------

INFORMATION, WARNING, ERROR = 4, 2, 1
#: Most characters of one entry.
_MOST = 31000


class EventLog:
    """Entries of the source *name* in the log "Application"."""

    def __init__(self, name: str, api: Any = None) -> None:
        self._api = advapi32() if api is None else api
        self._source = self._api.RegisterEventSourceW(None, name)

    def write(self, kind: int, number: int, text: str) -> None:
        """An entry that cannot be written is lost; the log file has it."""
        strings = (_TEXT * 1)(text[:_MOST])
        if self._source:
            self._api.ReportEventW(self._source, kind, 0, number, None, 1, 0, strings, None)

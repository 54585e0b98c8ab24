"""What is asked of advapi32, by one that notes it: which calls, with which arguments."""

import ctypes
import threading
from typing import Any, Dict, List, Tuple

import pytest

from opcws.operations import windows_api
from opcws.operations.windows_api import FailureActions, ServiceManager, ServiceProcess

from ..support import PATIENCE, wait_until


class Library:
    """Answers each call with 1, or as it is told, and keeps the arguments."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.calls: List[Tuple[str, Tuple[Any, ...]]] = []

    def __getattr__(self, name: str) -> Any:
        if name not in windows_api._FUNCTIONS:
            raise AttributeError(name)

        def call(*arguments: Any) -> Any:
            assert len(arguments) == len(windows_api._FUNCTIONS[name]) - 1, name
            self.calls.append((name, arguments))
            answer = self.answers.get(name, 1)
            return answer(*arguments) if callable(answer) else answer

        return call

    def arguments(self, name: str) -> List[Tuple[Any, ...]]:
        return [arguments for called, arguments in self.calls if called == name]


def test_the_account_of_a_service_has_the_sid_that_windows_makes_of_its_name() -> None:
    # "sc showsid TrustedInstaller", on any Windows.
    known = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"
    assert windows_api.service_sid("TrustedInstaller") == known
    assert windows_api.service_sid("trustedinstaller") == known


def test_a_service_is_created_as_its_own_account_and_starts_with_windows() -> None:
    library = Library()
    assert ServiceManager(library).create("line3", "opcws (line3)", "python x", "NT SERVICE\\line3")
    ((_manager, *rest),) = library.arguments("CreateServiceW")
    assert rest == [
        *("line3", "opcws (line3)", 0xF01FF, 0x10, 2, 1, "python x"),
        *(None, None, None, "NT SERVICE\\line3", None),
    ]
    assert len(library.arguments("CloseServiceHandle")) == 2


def test_a_service_that_is_there_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows_api, "_last_error", lambda: windows_api.EXISTS)
    library = Library(CreateServiceW=0)
    assert not ServiceManager(library).create("s", "d", "python x", "a")
    ((_service, *rest),) = library.arguments("ChangeServiceConfigW")
    assert rest == [0x10, 2, 1, "python x", None, None, None, "a", None, "d"]


def test_how_it_fails_starts_and_ends_is_set() -> None:
    given: Dict[int, Any] = {}

    def change(_service: Any, level: int, info: Any) -> int:
        given[level] = info._obj
        return 1

    def query(_service: Any, _level: int, buffer: Any, _size: int, _needed: Any) -> int:
        FailureActions.from_buffer(buffer).count = 3
        return 1

    manager = ServiceManager(Library(ChangeServiceConfig2W=change, QueryServiceConfig2W=query))
    manager.describe("s", "what it is")
    manager.delay_start("s")
    manager.allow_at_shutdown("s", 15.0)
    manager.restart_after_failure("s", (2.0, 10.0, 60.0), 86400)
    assert (given[1].value, given[3].value, given[7].value) == ("what it is", 1, 15000)
    actions = given[2].actions
    assert (given[2].reset_s, given[2].count) == (86400, 3)
    assert [(actions[i].type, actions[i].delay_ms) for i in range(3)] == [
        *((1, 2000), (1, 10000), (1, 60000)),
    ]


def test_a_recovery_that_windows_takes_and_does_not_keep_is_told() -> None:
    with pytest.raises(windows_api.WindowsError, match="was set, but is not there"):
        ServiceManager(Library()).restart_after_failure("s", (2.0,), 60)


def test_what_windows_refuses_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows_api, "_last_error", lambda: 5)
    with pytest.raises(windows_api.WindowsError, match="as an administrator") as caught:
        ServiceManager(Library(OpenSCManagerW=0)).start("opcws")
    assert caught.value.code == 5


class Windows(Library):
    """The part of it that starts the process of a service, tells it to stop, and is told."""

    def __init__(self) -> None:
        super().__init__(
            StartServiceCtrlDispatcherW=self._dispatch,
            RegisterServiceCtrlHandlerExW=self._register,
            SetServiceStatus=self._told,
        )
        self.said: List[Tuple[int, ...]] = []
        self.handler: Any = None
        self.returned = threading.Event()

    def _dispatch(self, table: Any) -> int:
        assert (table[0].name, table[1].name) == ("opcws", None)
        table[0].main(0, None)
        self.returned.set()
        return 1

    def _register(self, name: str, handler: Any, _context: Any) -> int:
        assert name == "opcws"
        self.handler = handler
        return 77

    def _told(self, handle: int, status: Any) -> int:
        assert handle == 77
        found = status._obj
        names = "state", "accepted", "exit_code", "specific_exit_code", "checkpoint", "wait_hint_ms"
        self.said.append(tuple(getattr(found, name) for name in names))
        return 1


def test_a_process_says_how_far_it_is_is_told_to_stop_and_says_how_it_ended() -> None:
    windows, stops = Windows(), []
    process = ServiceProcess("opcws", lambda: stops.append(0), windows)
    process.connect(PATIENCE)
    process.report(windows_api.START_PENDING, 60.0)
    process.report(windows_api.START_PENDING, 60.0)
    process.report(windows_api.RUNNING)
    assert windows.handler(windows_api.CONTROL_INTERROGATE, 0, None, None) == 0
    assert windows.handler(6, 0, None, None) == 120  # what nobody asked for: PARAMCHANGE
    assert not stops
    assert windows.handler(windows_api.CONTROL_STOP, 0, None, None) == 0
    assert stops == [0]
    process.report(windows_api.RUNNING)  # too late
    process.end(1, PATIENCE)
    wait_until(windows.returned.is_set, "the thread that Windows made has ended")
    assert windows.said == [
        *((2, 0, 0, 0, 1, 60000), (2, 0, 0, 0, 2, 60000), (4, 0x105, 0, 0, 0, 0)),
        *((3, 0, 0, 0, 1, 15000), (1, 0, 1066, 1, 0, 0)),
    ]


def test_a_process_that_windows_did_not_start_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows_api, "_last_error", lambda: windows_api.NOT_STARTED_BY_SCM)
    process = ServiceProcess("opcws", list, Library(StartServiceCtrlDispatcherW=0))
    with pytest.raises(windows_api.WindowsError, match="only Windows starts 'service run'"):
        process.connect(PATIENCE)


class Rights(Library):
    """A folder whose rights are kept as a text."""

    def __init__(self, kept: str) -> None:
        super().__init__(
            GetNamedSecurityInfoW=0,
            SetNamedSecurityInfoW=0,
            SetEntriesInAclW=self._entries,
            ConvertSecurityDescriptorToStringSecurityDescriptorW=self._text,
        )
        self._kept = ctypes.create_unicode_buffer(kept)
        self.entries: List[Tuple[int, ...]] = []

    def LocalFree(self, _memory: Any) -> None:
        pass

    def _entries(self, count: int, entry: Any, _before: Any, _changed: Any) -> int:
        found = entry._obj
        self.entries.append((count, found.rights, found.mode, found.inheritance))
        return 0

    def _text(self, _rights: Any, _revision: int, _what: int, text: Any, _size: Any) -> int:
        text._obj.value = ctypes.addressof(self._kept)
        return 1


def test_a_folder_is_given_with_all_that_is_in_it_and_taken_back() -> None:
    sid = windows_api.service_sid("opcws")
    rights = Rights("D:(A;OICI;0x1301bf;;;%s)" % sid)
    windows_api.grant("folder", sid, rights, rights)
    windows_api.revoke("folder", sid, rights, rights)
    assert rights.entries == [(1, 0x1301BF, 1, 3), (1, 0x1301BF, 4, 3)]
    ((path, kind, what, *_others),) = rights.arguments("SetNamedSecurityInfoW")[:1]
    assert (path, kind, what) == ("folder", 1, 4)


def test_a_file_system_without_rights_is_told() -> None:
    rights = Rights("D:(A;;FA;;;WD)")
    with pytest.raises(windows_api.ControlError, match="keeps no rights"):
        windows_api.grant("folder", windows_api.service_sid("opcws"), rights, rights)


def test_an_entry_of_the_event_log_has_one_text_that_is_not_too_long() -> None:
    texts: List[str] = []

    def report(*arguments: Any) -> int:
        texts.append(arguments[7][0])
        return 1

    library = Library(ReportEventW=report)
    windows_api.EventLog("opcws", library).write(windows_api.ERROR, 4, "x" * 40000)
    (arguments,) = library.arguments("ReportEventW")
    assert (*arguments[1:7], arguments[8]) == (1, 0, 4, None, 1, 0, None)
    assert texts == ["x" * 31000]

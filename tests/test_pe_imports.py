"""scripts/pe_imports.py finds what a compiled file asks of Windows 7 in vain."""

import importlib
import struct
import zipfile
from pathlib import Path
from typing import Any, List, Mapping, Sequence, Union

import pytest

from . import ROOT

#: Where the section of a made file begins: in memory, in the file.
MEMORY, FILE = 0x1000, 0x200


@pytest.fixture
def pe_imports(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return importlib.import_module("pe_imports")


def made(
    now: Mapping[str, Sequence[Union[str, int]]],
    delayed: Mapping[str, Sequence[Union[str, int]]] = {},
    wide: bool = True,
) -> bytes:
    """A file in Microsoft's format that asks each DLL for functions, by name or number."""
    body = bytearray()

    def put(data: bytes) -> int:
        body.extend(bytes(-len(body) % 8))
        body.extend(data)
        return MEMORY + len(body) - len(data)

    def listed(functions: Sequence[Union[str, int]]) -> int:
        size = 8 if wide else 4
        entries = b""
        for each in functions:
            number = (
                put(b"\0\0" + each.encode() + b"\0")
                if isinstance(each, str)
                else each | 1 << (8 * size - 1)
            )
            entries += number.to_bytes(size, "little")
        return put(entries + bytes(size))

    tables: List[int] = [0] * 16
    rows = b"".join(
        struct.pack("<5I", listed(functions), 0, 0, put(dll.encode() + b"\0"), 0)
        for dll, functions in now.items()
    )
    tables[1] = put(rows + bytes(20))
    rows = b"".join(
        struct.pack("<8I", 1, put(dll.encode() + b"\0"), 0, 0, listed(functions), 0, 0, 0)
        for dll, functions in delayed.items()
    )
    tables[13] = put(rows + bytes(32)) if delayed else 0
    optional = struct.pack("<H", 0x20B if wide else 0x10B).ljust(108 if wide else 92, b"\0")
    optional += struct.pack("<I", 16) + b"".join(struct.pack("<II", each, 0) for each in tables)
    head = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x40)
    head += b"PE\0\0" + struct.pack("<HH12xHH", 0x8664, 1, len(optional), 0) + optional
    head += b".rdata\0\0" + struct.pack("<4I16x", len(body), MEMORY, len(body), FILE)
    return head.ljust(FILE, b"\0") + bytes(body)


@pytest.mark.parametrize("wide", [True, False])
def test_the_functions_of_a_file_are_read_by_name_and_number(pe_imports: Any, wide: bool) -> None:
    data = made({"KERNEL32.dll": ["Sleep", 7], "ws2_32.dll": ["send"]}, {"Pdh.dll": ["X"]}, wide)
    assert pe_imports.imports(data) == {
        "kernel32.dll": ["Sleep", "#7"],
        "ws2_32.dll": ["send"],
        "pdh.dll": ["X"],
    }


@pytest.mark.parametrize(
    ("dll", "function"),
    [
        ("bcryptprimitives.dll", "ProcessPrng"),
        ("api-ms-win-core-synch-l1-2-0.dll", "WaitOnAddress"),
        ("KERNEL32.dll", "GetSystemTimePreciseAsFileTime"),
        ("KERNEL32.dll", "CreateFile2"),
        ("api-ms-win-core-path-l1-1-0.dll", "PathCchCombineEx"),
    ],
)
def test_what_windows_7_lacks_is_told(
    pe_imports: Any, tmp_path: Path, dll: str, function: str
) -> None:
    file = tmp_path / "part.pyd"
    file.write_bytes(made({"KERNEL32.dll": ["Sleep"], dll: ["Sleep", function]}))
    (problem,) = pe_imports.too_new(str(file))
    assert dll.lower() in problem and str(file) in problem
    assert function in problem or dll.startswith("api-ms-win-core-path")


def test_what_windows_7_has_and_what_comes_along_is_no_fault(
    pe_imports: Any, tmp_path: Path
) -> None:
    wheel = tmp_path / "some.whl"
    with zipfile.ZipFile(str(wheel), "w") as archive:
        wanted = {
            "KERNEL32.dll": ["AddDllDirectory", "GetSystemTimeAsFileTime"],
            "api-ms-win-crt-heap-l1-1-0.dll": ["malloc"],
            "api-ms-win-core-synch-l1-2-0.dll": ["InitializeConditionVariable"],
            "python38.dll": ["PyLong_FromLong"],
            "mine.dll": ["X"],
        }
        archive.writestr("some/part.pyd", made(wanted))
        archive.writestr("some.libs/Mine.dll", made({"KERNEL32.dll": ["Sleep"]}))
        archive.writestr("some/README", b"text")
    assert pe_imports.too_new(str(wheel)) == []
    assert pe_imports.too_new(str(tmp_path)) == []
    assert pe_imports.main([str(wheel)]) == 0


def test_a_file_that_is_cut_off_or_is_none_is_told(
    pe_imports: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = made({"KERNEL32.dll": ["Sleep"]})
    for number, data in enumerate((b"", b"MZ", whole[:0x120], whole[: FILE + 4], b"x" * 4096)):
        file = tmp_path / ("%d.dll" % number)
        file.write_bytes(data)
        assert pe_imports.too_new(str(file)) == ["%s: is no file that Windows could load" % file]
    assert pe_imports.main([str(tmp_path), str(tmp_path / "not-there.dll")]) == 1
    said = capsys.readouterr().out
    assert said.count("could load") == 5 and "not-there.dll: cannot be read" in said

"""What compiled files for Windows ask of it that Windows 7 SP1 / Server 2008 R2 SP1 does not have.

One such function is enough: Windows then refuses the whole file, and Python says "DLL load failed".

    python scripts/pe_imports.py PATH...

A path is a ``.pyd``, ``.dll`` or ``.exe``, a folder, or a wheel or other zip.  Files of one folder
or wheel may ask one another for anything.  Exit code 1 if something was found.

Taken for granted are the updates that Python 3.8 itself needs: KB2999226 (the C runtime and the
API sets that come with it) and KB2533623 (AddDllDirectory and its like).

Where the lists come from: the functions are those that YY-Thunks 1.1 (MIT licence) replaces below
Windows 8, without the ones that Windows 7 has with fewer abilities, and those for which
Microsoft's reference names Windows 8 or later as "minimum supported client".  The DLLs are those
of a Windows 7 SP1 that programs without a window may need; a list of all does not exist.
The file format is Microsoft's "PE Format", sections "Optional Header" and "The .idata Section".
"""

import io
import struct
import sys
import zipfile
from pathlib import Path
from typing import Callable, Container, Dict, FrozenSet, Iterator, List, Mapping, Tuple

#: DLLs of Windows 7 SP1; of the runtime of C++, Python brings what it needs itself.
WINDOWS_7_DLLS = frozenset(
    "%s.dll" % name
    for name in """
advapi32 bcrypt bcryptprimitives cabinet cfgmgr32 comctl32 comdlg32 crypt32 cryptbase d3d11 d3d9
dbghelp dnsapi dwmapi dxgi gdi32 imm32 iphlpapi kernel32 kernelbase mpr mscoree msi msimg32 msvcrt
mswsock ncrypt netapi32 normaliz ntdll odbc32 ole32 oleaut32 opengl32 pdh powrprof propsys psapi
rpcrt4 rstrtmgr secur32 sechost setupapi shell32 shlwapi sspicli user32 userenv uxtheme
vcruntime140 vcruntime140_1 version wevtapi winhttp wininet winmm wintrust wldap32 ws2_32 wsock32
wtsapi32
""".split()
)

_API_SETS = """
core-console core-datetime core-debug core-delayload core-errorhandling core-fibers core-file
core-handle core-heap core-interlocked core-io core-libraryloader core-localization
core-localregistry core-memory core-misc core-namedpipe core-processenvironment
core-processthreads core-profile core-rtlsupport core-string core-synch core-sysinfo
core-threadpool core-util core-xstate security-base security-lsalookup security-sddl service-core
service-management service-winsvc crt-conio crt-convert crt-environment crt-filesystem crt-heap
crt-locale crt-math crt-multibyte crt-private crt-process crt-runtime crt-stdio crt-string crt-time
crt-utility
""".split()
_LATER_API_SETS = """
core-file-l1-2-0 core-file-l2-1-0 core-localization-l1-2-0 core-processthreads-l1-1-1
core-synch-l1-2-0 core-timezone-l1-1-0 service-management-l2-1-0
""".split()

#: API sets of Windows 7, and those of KB2999226.
WINDOWS_7_API_SETS = frozenset(
    "api-ms-win-%s.dll" % name
    for name in [*_LATER_API_SETS, *("%s-l1-1-0" % each for each in _API_SETS)]
)

_KERNEL = """
ClosePackageInfo ClosePseudoConsole ConvertFiberToThreadEx2 CopyFile2 CreateFile2 CreateFile3
CreateFileMapping2 CreateFileMappingFromApp CreatePseudoConsole DeleteSynchronizationBarrier
DiscardVirtualMemory EnterSynchronizationBarrier FindPackagesByPackageFamily
GetApplicationUserModelId GetAppContainerNamedObjectPath GetCachedSigningLevel
GetCurrentApplicationUserModelId GetCurrentPackageFamilyName GetCurrentPackageFullName
GetCurrentPackageId GetCurrentPackageInfo GetCurrentPackagePath GetCurrentThreadStackLimits
GetFirmwareEnvironmentVariableExA GetFirmwareEnvironmentVariableExW GetFirmwareType
GetMachineTypeAttributes GetMemoryErrorHandlingCapabilities GetNumaNodeProcessorMask2
GetOverlappedResultEx GetPackageFamilyName GetPackageFullName GetPackageId GetPackageInfo
GetPackagePath GetPackagePathByFullName GetPackagesByPackageFamily GetProcessDefaultCpuSetMasks
GetProcessDefaultCpuSets GetProcessInformation GetProcessMitigationPolicy
GetSystemCpuSetInformation GetSystemTimePreciseAsFileTime GetTempPath2A GetTempPath2W
GetThreadDescription GetThreadInformation GetThreadSelectedCpuSetMasks GetThreadSelectedCpuSets
InitializeContext2 InitializeSynchronizationBarrier IsNativeVhdBoot IsProcessCritical
IsWow64GuestMachineSupported IsWow64Process2 LoadPackagedLibrary MapViewOfFile3
MapViewOfFileFromApp MapViewOfFileNuma2 OfferVirtualMemory OpenFileMappingFromApp
OpenPackageInfoByFullName PackageFamilyNameFromFullName PackageFamilyNameFromId
PackageFullNameFromId PackageIdFromFullName PrefetchVirtualMemory QueryInterruptTime
QueryInterruptTimePrecise QueryProtectedPolicy QueryUnbiasedInterruptTimePrecise
ReadDirectoryChangesExW ReclaimVirtualMemory RegisterBadMemoryNotification ResizePseudoConsole
RtlAddGrowableFunctionTable RtlDeleteGrowableFunctionTable SetCachedSigningLevel
SetFirmwareEnvironmentVariableExA SetFirmwareEnvironmentVariableExW SetProcessDefaultCpuSetMasks
SetProcessDefaultCpuSets SetProcessInformation SetProcessMitigationPolicy SetProtectedPolicy
SetThreadDescription SetThreadInformation SetThreadSelectedCpuSetMasks SetThreadSelectedCpuSets
UnmapViewOfFile2 UnmapViewOfFileEx UnregisterBadMemoryNotification VirtualAlloc2
VirtualAlloc2FromApp VirtualAllocFromApp VirtualProtectFromApp VirtualUnlockEx WaitForDebugEventEx
WaitOnAddress WakeByAddressAll WakeByAddressSingle
"""

#: By DLL: what it has only since Windows 8 or later.
TOO_NEW: Mapping[str, FrozenSet[str]] = {
    "%s.dll" % dll: frozenset(names.split())
    for dll, names in {
        "advapi32": "EventSetInformation GetDynamicTimeZoneInformationEffectiveYears",
        "bcrypt": "BCryptHash BCryptProcessMultipleOperations BCryptCreateMultiHash",
        "bcryptprimitives": "ProcessPrng",
        "dnsapi": "DnsCancelQuery DnsQueryEx",
        "iphlpapi": "GetIfEntry2Ex",
        "kernel32": _KERNEL,
        "kernelbase": _KERNEL,
        "ncrypt": "NCryptCloseProtectionDescriptor NCryptCreateProtectionDescriptor "
        "NCryptGetProtectionDescriptorInfo NCryptProtectSecret NCryptUnprotectSecret",
        "netapi32": "NetFreeAadJoinInformation NetGetAadJoinInformation",
        "ntdll": "RtlAddGrowableFunctionTable RtlDeleteGrowableFunctionTable RtlWaitOnAddress "
        "RtlWakeAddressAll RtlWakeAddressSingle NtCreateWaitCompletionPacket "
        "NtAssociateWaitCompletionPacket NtCancelWaitCompletionPacket",
        "ole32": "CoDecrementMTAUsage CoIncrementMTAUsage RoGetAgileReference",
        "powrprof": "PowerDeterminePlatformRoleEx PowerRegisterSuspendResumeNotification "
        "PowerUnregisterSuspendResumeNotification",
        "user32": "AdjustWindowRectExForDpi GetDpiForSystem GetDpiForWindow GetPointerInfo "
        "GetSystemMetricsForDpi RegisterSuspendResumeNotification SetCoalescableTimer "
        "SetProcessDpiAwarenessContext SystemParametersInfoForDpi "
        "UnregisterSuspendResumeNotification",
        "userenv": "CreateAppContainerProfile DeleteAppContainerProfile "
        "DeriveAppContainerSidFromAppContainerName",
        "winhttp": "WinHttpCreateProxyResolver WinHttpGetProxyForUrlEx WinHttpGetProxyResult "
        "WinHttpWebSocketCompleteUpgrade WinHttpWebSocketSend WinHttpWebSocketReceive",
        "ws2_32": "GetAddrInfoExCancel GetAddrInfoExOverlappedResult GetHostNameW",
    }.items()
}

_SUFFIXES = (".pyd", ".dll", ".exe")


def too_new(path: str) -> List[str]:
    """One sentence for each thing that the file, folder or wheel *path* needs and Windows 7 SP1
    does not have.  A file that cannot be read as a PE file is one, too.  Raises :exc:`OSError`."""
    files = dict(_files(Path(path)))
    beside = {name.replace("\\", "/").rpartition("/")[2].lower() for name in files}
    if Path(path).is_file() and not zipfile.is_zipfile(path):
        beside |= {each.name.lower() for each in Path(path).parent.iterdir()}
    problems = []
    for name, read in files.items():
        try:
            found = imports(read())
        except (ValueError, struct.error, IndexError):
            problems.append("%s: is no file that Windows could load" % name)
            continue
        problems += ["%s: %s" % (name, each) for each in _judge(found, beside)]
    return problems


def _judge(found: Mapping[str, List[str]], beside: Container[str]) -> Iterator[str]:
    for dll, functions in sorted(found.items()):
        if dll in beside or dll.startswith("python3"):
            continue
        api_set = dll.startswith(("api-ms-", "ext-ms-"))
        if dll not in WINDOWS_7_DLLS and dll not in WINDOWS_7_API_SETS:
            yield "needs %s, which Windows 7 does not have" % dll
            continue
        newer = TOO_NEW.get("kernel32.dll" if api_set else dll, frozenset())
        lacking = ", ".join(sorted(newer.intersection(functions)))
        if lacking:
            yield "needs %s of %s, which Windows 7 does not have" % (lacking, dll)


def _files(path: Path) -> Iterator[Tuple[str, Callable[[], bytes]]]:
    if path.is_dir():
        for each in sorted(path.rglob("*")):
            if each.suffix.lower() in _SUFFIXES and each.is_file():
                yield str(each), each.read_bytes
            elif each.suffix.lower() == ".whl":
                yield from _files(each)
    elif zipfile.is_zipfile(str(path)):
        with zipfile.ZipFile(str(path)) as archive:
            for name in archive.namelist():
                if name.lower().endswith(_SUFFIXES):
                    data = archive.read(name)
                    yield "%s: %s" % (path.name, name), io.BytesIO(data).read
    else:
        yield str(path), path.read_bytes


# --- the file format -----------------------------------------------------------------------------


def imports(data: bytes) -> Dict[str, List[str]]:
    """By DLL, in small letters: the functions that a PE file's import table names, those of
    delayed imports too; ``#7`` is the function with the number 7.

    Raises :exc:`ValueError`, :exc:`struct.error` or :exc:`IndexError` for what is no PE file.
    """
    (start,) = struct.unpack_from("<I", data, 0x3C)
    if data[:2] != b"MZ" or data[start : start + 4] != b"PE\0\0":
        raise ValueError("no PE file")
    sections, optional_bytes = struct.unpack_from("<2xH12xH", data, start + 4)
    optional = start + 24
    (magic,) = struct.unpack_from("<H", data, optional)
    wide = {0x10B: False, 0x20B: True}.get(magic)
    if wide is None:
        raise ValueError("neither PE32 nor PE32+")
    directories = optional + (112 if wide else 96)
    (count,) = struct.unpack_from("<I", data, directories - 4)
    table = [
        struct.unpack_from("<8xIIII", data, optional + optional_bytes + 40 * number)
        for number in range(sections)
    ]

    def offset(address: int) -> int:
        for size, virtual, raw_size, raw in table:
            if virtual <= address < virtual + max(size, raw_size):
                return int(address - virtual + raw)
        raise ValueError("an address outside of all sections")

    def text(address: int) -> str:
        begin = offset(address)
        return data[begin : data.index(b"\0", begin)].decode("ascii", "replace")

    def functions(address: int) -> Iterator[str]:
        step, by_number = (8, 1 << 63) if wide else (4, 1 << 31)
        at = offset(address)
        while True:
            (entry,) = struct.unpack_from("<Q" if wide else "<I", data, at)
            if not entry:
                return
            yield "#%d" % (entry & 0xFFFF) if entry & by_number else text(entry + 2)
            at += step

    found: Dict[str, List[str]] = {}
    # Which directory, how one entry of it reads, and where in that are the DLL's name and the
    # lists of its functions, the first of which may be missing.
    for directory, entry, name_at, lists_at in ((1, "<5I", 3, (0, 4)), (13, "<8I", 1, (4, 3))):
        (address,) = struct.unpack_from("<I", data, directories + 8 * directory)
        if directory >= count or not address:
            continue
        for fields in struct.iter_unpack(entry, _whole(data[offset(address) :], entry)):
            if not any(fields):
                break
            listed = fields[lists_at[0]] or fields[lists_at[1]]
            found.setdefault(text(fields[name_at]).lower(), []).extend(functions(listed))
        else:
            raise ValueError("a table without an end")
    return found


def _whole(data: bytes, entry: str) -> bytes:
    """As much of *data* as is made of whole entries."""
    return data[: len(data) - len(data) % struct.calcsize(entry)]


def main(arguments: List[str]) -> int:
    if not arguments or arguments[0].startswith("-"):
        print(__doc__)
        return 2
    problems = []
    for path in arguments:
        try:
            problems += too_new(path)
        except (OSError, zipfile.BadZipFile) as error:
            problems.append("%s: cannot be read: %s" % (path, error))
    print("\n".join(problems) or "nothing that Windows 7 SP1 lacks")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

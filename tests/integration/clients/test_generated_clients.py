"""What ``opcws client`` writes is compiled, or checked, and does what it promises, against a real
opcws and the simulated plant; a program with a variable that has gone is not compiled.

The programs are in tests/programs: of each language a good one, and one with a mistake in each line
that says ``wrong``.
"""

import contextlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Callable, Dict, Iterator, List, NamedTuple, Set, Tuple

import pytest

from opcws.access import accounts
from opcws.app import Server
from opcws.commissioning import client_files
from opcws.commissioning.client_names import Tag
from opcws.config import load

from ... import support
from ...support import PATIENCE, PlantProcess, command, expect, free_port, readme
from ...support.node import node_with_websocket

#: Its programs write: no other module finds what they have written.
pytestmark = pytest.mark.own_plant

PROGRAMS = readme.ROOT / "tests" / "programs"
STATIC = readme.ROOT / "opcws" / "static"
ENVIRONMENT = dict(
    os.environ,
    DOTNET_CLI_TELEMETRY_OPTOUT="1",
    PYTHONPATH=str(readme.ROOT),
    MYPYPATH=str(readme.ROOT),
    PYTHONIOENCODING="utf-8",
)


class Target(NamedTuple):
    """Where opcws is, and is again when it was started anew."""

    plant: PlantProcess
    port: int

    @property
    def url(self) -> str:
        return "ws://127.0.0.1:%d/" % self.port

    @contextlib.contextmanager
    def served(self) -> Iterator[Server]:
        with support.served(self.plant.endpoint, listen={"port": self.port}) as server:
            yield server


@pytest.fixture(scope="module")
def target(plant: PlantProcess) -> Target:
    return Target(plant, free_port())


@pytest.fixture(scope="module")
def made(target: Target, tmp_path_factory: pytest.TempPathFactory) -> Dict[str, Path]:
    """The file of each language."""
    folder = tmp_path_factory.mktemp("made")
    names = {"csharp": "Plant.cs", "python": "plant.py", "ts": "plant.ts"}
    files = {language: folder / name for language, name in names.items()}
    with target.served() as server, support.Client(server.urls[0]) as client:
        variables = ["Boiler.Temperature", "Motor.Mode", "Motor.State"]

        def told() -> bool:
            """What the plant says of its variables is learnt after it is connected."""
            infos = client.body("VALUEINFO", {"Variables": variables})["Variables"]
            return "EngineeringUnits" in infos[0] and all("EnumStrings" in i for i in infos[1:])

        support.wait_until(told, "units and names of values")
        for language, path in files.items():
            arguments = ["--lang", language, "--url", target.url, "--output", str(path)]
            done = command.run("client", *arguments)
            assert done.exit_code == 0, done.output
            assert "wrote " in done.stderr and "1 variable is not known" in done.stderr
            again = command.run("client", *arguments[:-2])
            assert again.stdout == path.read_text(encoding="utf-8")
    return files


class Language(NamedTuple):
    """How its programs are compiled and run, in a folder with them.

    ``name`` is that of a code block, ``told`` finds the file and the line of which the compiler
    tells something.
    """

    name: str
    suffix: str
    compile: List[str]
    run: List[str]
    told: str


def csharp(folder: Path) -> Language:
    mcs, mono = shutil.which("mcs"), shutil.which("mono")
    if mcs is None or mono is None:
        pytest.skip("not run: needs mcs and mono (mono-mcs, mono-runtime)")
    # One program each, because each has its Main; all are tried.
    compiled = "\n".join(
        "%s -langversion:7.2 -warnaserror -out:%s.exe Plant.cs %s.cs" % (mcs, program, program)
        for program in ("good", "gone", "example")
    )
    compiled += "\n%s -langversion:7.2 -warnaserror -target:library odd.cs" % mcs
    run = [mono, "%s.exe"]
    return Language("csharp", "cs", ["sh", "-c", compiled], run, r"^(\S+)\((\d+),\d+\): error")


def dotnet(folder: Path) -> Language:
    """C# with Microsoft's compiler and runtime."""
    dotnet = shutil.which("dotnet")
    if dotnet is None:
        pytest.skip("not run: needs dotnet (the .NET SDK)")
    said = [dotnet, "--version"]
    version = subprocess.run(said, stdout=subprocess.PIPE, encoding="utf-8", check=True).stdout
    major = int(version.partition(".")[0])
    builds = []
    for program in ("good", "gone", "example", "odd"):
        project = DOTNET_PROJECT.format(
            framework="net%d.0" % major if major >= 5 else "netcoreapp3.1",
            output="Library" if program == "odd" else "Exe",
            sources="../odd.cs" if program == "odd" else "../Plant.cs;../%s.cs" % program,
            program=program,
        )
        own = folder / program
        own.mkdir()
        (own / (program + ".csproj")).write_text(project, encoding="utf-8")
        builds.append("%s build -nologo -v q %s" % (dotnet, own))
    run = [dotnet, "%s/bin/%s.dll"]
    told = r"^(?:.*/)?(\w+\.cs)\((\d+),\d+\): error"
    return Language("csharp", "cs", ["sh", "-c", "\n".join(builds)], run, told)


def python(folder: Path) -> Language:
    if importlib.util.find_spec("mypy") is None:
        pytest.skip("not run: needs mypy")
    check = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--config-file="]
    check += ["good.py", "gone.py", "example.py", "odd.py"]
    return Language("python", "py", check, [sys.executable, "%s.py"], r"^(\S+?):(\d+): error")


def typescript(folder: Path) -> Language:
    tsc = readme.ROOT / "tests" / "javascript" / "node_modules" / "typescript" / "lib" / "tsc.js"
    if not tsc.exists():
        pytest.skip("not run: needs typescript (npm install in tests/javascript)")
    node = node_with_websocket()
    (folder / "package.json").write_text('{"type": "module"}', encoding="ascii")
    for name in ("opcws.js", "opcws.d.ts"):
        (folder / name).write_bytes((STATIC / name).read_bytes())
    flags = "--strict --target es2022 --module es2022 --lib es2022,dom --moduleResolution bundler"
    compiled = [*node, str(tsc), *flags.split(), "good.ts", "gone.ts", "example.ts", "odd.ts"]
    told = r"^(\S+)\((\d+),\d+\): error"
    return Language("typescript", "ts", compiled, [*node, "%s.js"], told)


#: What compiles, the kind of file that it takes, and how.
COMPILERS: Dict[str, Tuple[str, Callable[[Path], Language]]] = {
    "dotnet": ("csharp", dotnet),
    "mono": ("csharp", csharp),
    "mypy": ("python", python),
    "tsc": ("ts", typescript),
}

DOTNET_PROJECT = """\
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <TargetFramework>{framework}</TargetFramework>
    <OutputType>{output}</OutputType>
    <AssemblyName>{program}</AssemblyName>
    <LangVersion>7.3</LangVersion>
    <TreatWarningsAsErrors>true</TreatWarningsAsErrors>
    <EnableDefaultCompileItems>false</EnableDefaultCompileItems>
    <OutputPath>bin</OutputPath>
    <AppendTargetFrameworkToOutputPath>false</AppendTargetFrameworkToOutputPath>
  </PropertyGroup>
  <ItemGroup>
    <Compile Include="{sources}" />
  </ItemGroup>
</Project>
"""


#: Names that cannot stand as they are, or that what is generated needs itself.
ODD = [
    Tag(name, "UInt64", False, "readwrite", names=((0, name), (1, "On"), (2, "On"), (3, "")))
    for name in """
    __proto__ constructor 123 1a a a.b a-b a_b class class_ é 日本 \ufb01 fi x|y __init__ _client
    self None a..b . a"b\\n*/ \u202e \U0001f600 Boiler Boiler.Boiler Boiler.Boiler.Boiler
    Enumerations Enumerations.Enumerations Kinds float property List Any Optional typed get_args
    Literal Plant.Plant NAMES Motor.Mode Motor_Mode object Equals GetHashCode GetType Finalize
    MemberwiseClone ReferenceEquals System Groups namespace Promise Array Client DataValue
    global::Opcws Opcws Dispose read Read write Write monitor Monitor name Name to To value mro
    as await file global infer keyof readonly record require required scoped unique exports var
    """.split()
] + [Tag("any", "", None), Tag("list", "Int64", True, names=((-1, "minus"), (1, "plus")))]
ODD += [Tag(name, "Int32", False, names=((0, name),)) for name in ("x" * 600, ".1" * 100)]


class Compiled(NamedTuple):
    """Programs that were compiled in their folder, and what the compiler said."""

    language: Language
    folder: Path
    said: str

    def command(self, program: str, *arguments: str) -> List[str]:
        """What runs *program*."""
        return [each.replace("%s", program) for each in self.language.run] + list(arguments)


@pytest.fixture(scope="module", params=sorted(COMPILERS))
def compiled(
    request: pytest.FixtureRequest,
    target: Target,
    made: Dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Compiled:
    folder = tmp_path_factory.mktemp(request.param)
    kind, prepare = COMPILERS[request.param]
    language = prepare(folder)
    (folder / made[kind].name).write_bytes(made[kind].read_bytes())
    for program in PROGRAMS.glob("*." + language.suffix):
        (folder / program.name).write_bytes(program.read_bytes())
    (example,) = (each for each in readme.code(language.name) if "Motor_Mode" in each)
    example = example.replace("ws://127.0.0.1:8081/", target.url)
    (folder / ("example." + language.suffix)).write_text(example, encoding="utf-8")
    odd = client_files.text_of(kind, ODD, "--url " + target.url)
    (folder / ("odd." + language.suffix)).write_text(odd, encoding="utf-8")
    done = subprocess.run(
        language.compile,
        cwd=str(folder),
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=5 * PATIENCE,
    )
    return Compiled(language, folder, done.stdout)


def test_the_compiler_tells_each_mistake_and_finds_no_other(compiled: Compiled) -> None:
    told: Set[Tuple[str, int]] = {
        (file, int(line))
        for file, line in re.findall(compiled.language.told, compiled.said, re.MULTILINE)
    }
    name = "gone." + compiled.language.suffix
    lines = (compiled.folder / name).read_text(encoding="utf-8").splitlines()
    wrong = {(name, number) for number, line in enumerate(lines, 1) if line.endswith(" wrong")}
    assert wrong and told == wrong, compiled.said


def test_the_program_reads_writes_and_monitors_over_a_restart(
    compiled: Compiled, target: Target
) -> None:
    process = subprocess.Popen(
        compiled.command("good", target.url),
        cwd=str(compiled.folder),
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        with target.served() as server, support.Client(server.urls[0]) as client:
            client.write("Test.Counter", 1)
            client.write("Types.Any", {"Type": "String", "Body": "no number any more"})
            for line in STORY:
                assert process.stdout.readline().rstrip() == line
            target.plant.freeze()
            try:
                print(file=process.stdin, flush=True)
                assert expect(process, "deadline") == "deadline BadTimeout\n"
            finally:
                target.plant.thaw()
            expect(process, "thaw")
            print(file=process.stdin, flush=True)
            expect(process, "counter Good 1")
            client.write("Test.Counter", 2)
            expect(process, "counter Good 2")
        with target.served() as server, support.Client(server.urls[0]) as client:
            expect(process, "counter Good 2")
            client.write("Test.Counter", 3)
            expect(process, "counter Good 3")
            assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def test_the_example_of_the_page_does_what_it_says(compiled: Compiled, target: Target) -> None:
    with target.served():
        done = subprocess.run(
            compiled.command("example"),
            cwd=str(compiled.folder),
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            timeout=3 * PATIENCE,
            check=True,
        )
    number = r"-?\d+(\.\d+)?(e-?\d+)?"
    lines = [number, "Automatic", "BadSensorFailure .+", number + " (True|true)"]
    lines += [number + r" Good \d{4}-\S+Z"] * 3
    assert re.fullmatch("\n".join(lines) + "\n", done.stdout), done.stdout


def test_a_user_gets_what_he_may_see_and_do(target: Target, tmp_path: Path) -> None:
    settings = support.settings(target.plant.endpoint)
    settings["roles"] = {"viewer": {"read": ["Boiler.*"], "write": ["Boiler.Valve"]}}
    path = tmp_path / "opcws.yaml"
    path.write_text(json.dumps(settings), encoding="utf-8")
    loaded = load(path)
    token = accounts.create_token(loaded, "panel", "viewer", None)[0]
    server = Server(loaded)
    server.start()
    try:
        support.wait_connected(server)
        output = tmp_path / "plant.ts"
        asked = ["--lang", "ts", "--url", server.urls[0], "--output", str(output)]
        done = command.run("client", *asked)
        assert done.exit_code == 5 and not output.exists(), done
        done = command.run("client", *asked, "--token", token)
        assert done.exit_code == 0, done
    finally:
        server.stop()
    text = output.read_text(encoding="utf-8")
    assert token not in text and "Motor" not in text
    first, _, rest = text.partition("export interface ReadWrite {")
    writable, _, _ = rest.partition("}")
    assert '  "Boiler.Setpoint": ' in first
    assert re.findall(r'^  "(.+)": ', writable, re.MULTILINE) == ["Boiler.Valve"]


STORY = """\
temperature true
setpoint true
mode Service
int64 -9007199254740992
nan true
infinities true
null true
list true true BadSensorFailure
written true
refused BadSensorFailure true
text Kessel
history true
name true
changed BadTypeMismatch true
back []
any 9223372036854775807
freeze
""".splitlines()

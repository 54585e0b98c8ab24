"""What was found becomes a configuration that serves; what a person wrote stays."""

import os
import stat
import threading
from pathlib import Path
from typing import Any, List

import pytest

from opcws.commissioning import config_file
from opcws.config import loads
from opcws.config.variable_names import Found
from opcws.model.errors import ConfigError

URL = "opc.tcp://h:4840"
A, B, C = (Found("x." + each, "nsu=urn:p;s=" + each, "Double", unit="bar") for each in "ABC")

FILE = """\
# my plant
servers:
  boiler:   # the old one
    endpoint: opc.tcp://h:4840/
    variables:
      # I call it so
      Druck: {node: "ns=2;s=A", access: readwrite}
      x.C: {node: "nsu=urn:other;s=C"}
  other:
    endpoint: opc.tcp://h:1
    variables: {x.B: {node: i=1}}
# the end
"""


def merged(text: str, *found: Found, **options: Any) -> config_file.ConfigChange:
    return config_file.merged(
        text, "f.yaml", {"endpoint": URL}, found, namespaces=("", "urn:s", "urn:p"), **options
    )


def test_a_new_file_is_sorted_commented_read_only_and_good() -> None:
    text = config_file.new_text("plant", {"endpoint": URL}, [C, A._replace(description="d\n#")])
    loaded = loads(text)
    assert not loaded.warnings
    assert list(loaded.variables) == ["x.A", "x.C"]
    assert {each.access for each in loaded.variables.values()} == {"read"}
    assert '      # d #\n      x.A: {node: "nsu=urn:p;s=A"}  # Double, bar\n' in text


def test_a_variable_is_known_by_its_node_and_keeps_its_name() -> None:
    result = merged(FILE, A)
    assert result.after == FILE
    assert (list(result.added), result.known, result.missing) == ([], ["Druck"], ["x.C"])


def test_a_name_that_is_taken_becomes_another_one() -> None:
    result = merged(FILE, A, B, C)
    loaded = loads(result.after)
    assert result.server == "boiler"
    (tagged,) = (name for name in loaded.servers["boiler"].variables if name.startswith("x.C~"))
    assert sorted(result.added) == ["boiler.x.B", tagged]
    assert loaded.variables["boiler.x.B"].node_text == B.node
    assert loaded.variables["x.C"].node_text == "nsu=urn:other;s=C"
    left = iter(result.after.splitlines())
    assert all(line in left for line in FILE.splitlines())


def test_a_second_time_nothing_changes() -> None:
    first = merged(FILE, A, B, C).after
    again = merged(first, A, B, C)
    assert again.after == first and not again.added and len(again.known) == 3


def test_an_element_of_an_array_is_not_its_node() -> None:
    text = FILE.replace("access: readwrite", 'index_range: "1"')
    assert "x.A" in merged(text, A).added


@pytest.mark.parametrize(
    "off",
    [
        '      #x.A: {node: "nsu=urn:p;s=A"}  # Double, bar',
        "      # mine: {access: readwrite, node: 'ns=2;s=A'}",
        "# x.A:\n#   node: nsu=urn:p;s=A",
    ],
)
def test_a_variable_that_a_person_made_a_comment_stays_one(off: str) -> None:
    text = FILE.replace('      Druck: {node: "ns=2;s=A", access: readwrite}', off)
    result = merged(text + '# node: [\n# node: "\\x"\n', A, C)
    assert (result.off, "x.A" in loads(result.after).variables) == (1, False)
    assert len(result.added) == 1


def test_another_server_gets_a_section_of_its_own() -> None:
    new = config_file.merged(FILE, "f", {"endpoint": "opc.tcp://new:1"}, [A])
    assert new.server == "plant"
    assert loads(new.after).servers["plant"].endpoint == "opc.tcp://new:1"
    assert new.after.index("# the end") > 0
    text = FILE.replace("boiler:", "plant:")
    assert config_file.merged(text, "f", {"endpoint": "opc.tcp://n:1"}, [A]).server == "plant2"
    named = config_file.merged(text, "f", {"endpoint": "opc.tcp://n:1"}, [A], "north")
    assert named.server == "north"
    with pytest.raises(ConfigError, match=r"is opc.tcp://h:1, not opc.tcp://n:1; .*--server"):
        config_file.merged(text, "f", {"endpoint": "opc.tcp://n:1"}, [A], "other")


def test_a_file_with_problems_is_not_touched() -> None:
    with pytest.raises(ConfigError, match="f.yaml:4: servers.boiler.endpoint"):
        merged(FILE.replace("opc.tcp://h:4840/", "h"), A)


def test_a_file_is_replaced_whole_and_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(b"old")
    if os.name != "nt":
        path.chmod(0o640)
    config_file.save(str(path), "a\r\nb\n")
    assert path.read_bytes() == b"a\r\nb\n"
    if os.name != "nt":
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [each.name for each in tmp_path.iterdir()] == ["c.yaml"]


@pytest.mark.skipif(os.name == "nt", reason="needs symbolic links")
def test_what_a_link_points_to_is_replaced_and_not_the_link(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    real, link = tmp_path / "there" / "c.yaml", tmp_path / "link.yaml"
    real.write_text("old")
    link.symlink_to(real)
    config_file.save(str(link), "new")
    assert link.is_symlink() and real.read_text() == "new"


@pytest.mark.skipif(os.name == "nt", reason="needs a named pipe")
def test_a_pipe_or_a_device_is_written_to_and_stays_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(str(path))
    read: List[bytes] = []
    reader = threading.Thread(target=lambda: read.append(path.read_bytes()))
    reader.start()
    config_file.save(str(path), "a\r\nb\n")
    reader.join()
    assert read == [b"a\r\nb\n"]
    assert stat.S_ISFIFO(path.stat().st_mode)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="needs another owner")
def test_an_administrator_does_not_take_the_file_away_from_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("old")
    path.chmod(0o640)
    os.chown(str(path), 1234, 2345)
    config_file.save(str(path), "new")
    now = path.stat()
    assert (now.st_uid, now.st_gid, stat.S_IMODE(now.st_mode)) == (1234, 2345, 0o640)


def test_what_cannot_or_should_not_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot write .*c.yaml: there is no directory .*no;"):
        config_file.save(str(tmp_path / "no" / "c.yaml"), "x")
    with pytest.raises(ConfigError, match="it is a directory; name a file in it"):
        config_file.save(str(tmp_path), "x")
    path = tmp_path / "c.yaml"
    path.write_text("mine")
    path.chmod(0o444)
    with pytest.raises(ConfigError, match="it is read-only; change that, or name another file"):
        config_file.save(str(path), "x")
    assert path.read_text() == "mine"


def test_a_change_that_means_something_else_is_refused() -> None:
    problems: List[str] = []
    try:
        config_file.verify(FILE, "f", {"servers": {}})
    except ConfigError as error:
        problems += error.problems
    assert len(problems) == 1 and "without damage" in problems[0]
    # The first key's mark pushes it to the right of where the others would go.
    text = FILE.replace('      x.C: {node: "nsu=urn:other;s=C"}\n', "").replace(
        "      Druck: ", "      ? Druck\n      : "
    )
    with pytest.raises(ConfigError, match="without damage"):
        merged(text, B._replace(name="A"))

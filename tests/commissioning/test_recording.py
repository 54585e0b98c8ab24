"""What is told of recording before opcws runs."""

from pathlib import Path

import pytest

from opcws.commissioning import recording
from opcws.config import loads
from opcws.config.settings import Config

from ..support import command

SERVERS = "servers: {p: {endpoint: 'opc.tcp://h:1', variables: {T: {node: i=2258}}}}\n"
RECORD = "record: {variables: ['*']}\n"


def config(text: str, directory: Path) -> Config:
    return loads(text + SERVERS, directory=str(directory))


def test_a_directory_that_is_yet_to_be_made_is_good(tmp_path: Path) -> None:
    assert recording.notices(config(RECORD, tmp_path)) == []
    assert list(tmp_path.iterdir()) == []


def test_a_state_dir_that_may_not_be_written_to_is_told_where_something_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The tests may run as root, who may write anywhere.
    monkeypatch.setattr("os.access", lambda path, mode: False)
    (notice,) = recording.notices(config(RECORD, tmp_path))
    assert str(tmp_path / "state") in notice and "nothing will be recorded" in notice
    assert recording.notices(config("", tmp_path)) == []


def test_a_file_in_the_place_of_the_state_dir_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    path = tmp_path / "c.yaml"
    path.write_text(RECORD + SERVERS, "utf-8")
    result = command.run("check", "--offline", "--config", str(path))
    assert result.exit_code == 0
    assert "warning: state_dir: this user may not write to" in result.output

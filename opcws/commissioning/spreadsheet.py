"""Variables as a table for a spreadsheet, and back.

Rules:

* UTF-8; commas, semicolons or tabs, whichever the first line has; a byte order mark and Excel's
  ``sep=`` line are allowed.
* A present column decides its setting for every row: with an empty cell the variable does not have
  it.  An absent column, and ``unit``, change nothing.
* The spaces in a cell with a name, a NodeId or a text belong to it, also those at its ends.
* An absent row changes nothing: variables are never removed.
* No cell is a formula: a text that a spreadsheet would calculate gets an apostrophe in front.

Pure.
"""

import csv
import io
import math
import re
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from ..config import loads, read_text
from ..config.loader import MAX_FILE_BYTES
from ..config.settings import AlarmLimits, Config, Deadband, RecordRule, Variable
from ..config.variable_names import Found
from ..config.yaml_document import Document, path_text, shown
from ..model.data_types import TYPE_IDS, TYPE_NAMES
from ..model.errors import ConfigError
from .config_file import ConfigChange, verify
from .yaml_edit import Editor
from .yaml_text import Entry

_LIMITS = ("limits_low_low", "limits_low", "limits_high", "limits_high_high")
#: The columns in their order.
COLUMNS = (
    *("server", "name", "node", "type", "array", "access", "unit", "description"),
    *_LIMITS,
    *("sampling_interval_ms", "queue_size", "discard_oldest", "trigger"),
    *("deadband_absolute", "deadband_percent", "stale_after_s", "index_range"),
    *("record", "record_min_interval_ms", "record_deadband", "history"),
)
DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t"}

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
#: Number formats that opcws never writes, but a spreadsheet does for thousands.
_THOUSANDS = re.compile(r"-?[1-9]\d{0,2}(,\d{3}|\.\d\d0)")
#: Columns in which a space at an end belongs to the text.
_TEXTS = ("server", "name", "node", "unit", "description")
_NUMBERS = (
    *("sampling_interval_ms", "deadband_absolute", "deadband_percent", "stale_after_s"),
    *("record_min_interval_ms", "record_deadband"),
    *_LIMITS,
)
_TRUE, _FALSE = ("true", "1", "yes", "wahr", "vrai"), ("false", "0", "no", "falsch", "faux")

Row = Mapping[str, str]


class Sheet(NamedTuple):
    """A table: its columns, and for each row its line and its cells that are not empty, by
    column."""

    columns: Sequence[str]
    rows: Sequence[Tuple[int, Row]]


# --- out -----------------------------------------------------------------------------------------


def rows_of(found: Sequence[Found], server: str) -> List[Row]:
    """The rows of the variables found on *server*."""
    return [
        {
            "server": server,
            "name": each.name,
            "node": each.node,
            "type": each.type,
            "array": "true" if each.is_array else "",
            "access": "read",
            "unit": each.unit,
            "description": each.description,
        }
        for each in found
    ]


def rows_of_config(loaded: Config) -> List[Row]:
    """The rows of the variables with a node of a configuration, in its order."""
    return [_row(each) for each in loaded.variables.values() if each.field is None]


def table(rows: Sequence[Row], delimiter: str = ",") -> str:
    """*rows* as CSV (RFC 4180)."""
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, delimiter=delimiter, lineterminator="\r\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({column: _cell(column, text) for column, text in row.items()})
    return file.getvalue()


def _row(variable: Variable) -> Row:
    deadband, limits = variable.deadband or Deadband(), variable.limits or AlarmLimits()
    record = variable.record
    rule = record if isinstance(record, RecordRule) else RecordRule()
    cells = {
        **{column: getattr(variable, column, None) for column in COLUMNS},
        "node": variable.node_text,
        "type": TYPE_NAMES[variable.type] if variable.type else None,
        "array": variable.is_array,
        "deadband_absolute": deadband.absolute,
        "deadband_percent": deadband.percent,
        **{"limits_" + name: value for name, value in vars(limits).items()},
        "record": True if record is rule else record,
        "record_min_interval_ms": rule.min_interval_ms,
        "record_deadband": rule.deadband,
    }
    return {column: _text(value) for column, value in cells.items()}


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else "%.17g" % value
    return str(value)


def _cell(column: str, text: str) -> str:
    return "'" + text if column not in _NUMBERS and _FORMULA.match(text) else text


# --- in ------------------------------------------------------------------------------------------


def import_file(path: str, table: str, server: Optional[str]) -> ConfigChange:
    """The change of the configuration *path* by the CSV file *table*; writes nothing.

    Raises :exc:`~opcws.model.errors.ConfigError`.
    """
    before = read_text(path)
    try:
        with open(table, "rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError("%s: cannot be read: %s" % (table, error.strerror)) from None
    if len(raw) > MAX_FILE_BYTES:
        raise ConfigError("%s: is over %d bytes; split it" % (table, MAX_FILE_BYTES))
    return import_into(before, path, read(raw, table), table, server)


def read(raw: bytes, name: str) -> Sheet:
    """The table in the file *name*.  Raises :exc:`~opcws.model.errors.ConfigError` with every
    problem."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            "%s:%d: is not UTF-8; in Excel save it as 'CSV UTF-8'" % (name, line)
        ) from None
    skipped = 0
    first, _, rest = text.partition("\n")
    delimiter = max(DELIMITERS.values(), key=first.count)
    if first.lower().startswith("sep="):
        delimiter, text, skipped = first[4:5] or ",", rest, 1
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    problems: List[str] = []
    rows: List[Tuple[int, Row]] = []
    columns: List[str] = []
    try:
        columns = [each.strip().lower().replace(" ", "_") for each in next(reader, [])]
        unknown = [each for each in columns if each and each not in COLUMNS]
        if "name" not in columns or "node" not in columns or unknown:
            problems.append(
                "%s:%d: the first line has %s; expected the names of columns, 'name' and 'node' "
                "among them, of %s"
                % (name, skipped + 1, ", ".join(map(shown, unknown or columns)), ", ".join(COLUMNS))
            )
        for cells in reader:
            line = reader.line_num + skipped
            if any(each.strip() for each in cells[len(columns) :]):
                problems.append("%s:%d: has more cells than columns" % (name, line))
            if any(each.strip() for each in cells):
                pairs = ((column, _cell_text(column, each)) for column, each in zip(columns, cells))
                rows.append((line, {column: cell for column, cell in pairs if column and cell}))
    except csv.Error as error:
        problems.append("%s:%d: is no CSV: %s" % (name, reader.line_num + skipped, error))
    if problems:
        raise ConfigError(problems)
    return Sheet(columns, rows)


def import_into(
    text: str, path: str, sheet: Sheet, sheet_name: str, server: Optional[str] = None
) -> ConfigChange:
    """*text* of the configuration file *path*, changed by the *sheet*.

    Rows without a server go to *server*, or to the only one.  Raises
    :exc:`~opcws.model.errors.ConfigError` with every problem.
    """
    loaded = loads(text, path)
    data = Document(text, path).data
    editor = Editor(text)
    problems: List[str] = []
    seen: Set[str] = set()
    added: Dict[str, List[Entry]] = {}
    changed: List[str] = []
    places: Dict[str, int] = {}
    for line, row in sheet.rows:
        where = "%s:%d: " % (sheet_name, line)
        try:
            place = _place(loaded, row, server)
            name = row.get("name", "")
            if not name:
                raise ValueError("there is no name")
            if name in seen:
                raise ValueError("%s appears twice" % shown(name))
            seen.add(name)
            places[path_text(("servers", place, "variables", name))] = line
            section = data["servers"][place]
            if section.get("variables") is None:
                section["variables"] = {}
            before = section["variables"].get(name)
            after = _settings(row, sheet.columns, before or {})
            if "node" not in after:
                raise ValueError("%s has no node" % shown(name))
        except ValueError as error:
            problems.append(where + str(error))
            continue
        section["variables"][name] = after
        if before is None:
            remark = ", ".join(filter(None, (row.get("type"), row.get("unit"))))
            added.setdefault(place, []).append(Entry(name, after, behind=remark))
        elif after != before:
            changed.append(name)
            _change(editor, ("servers", place, "variables", name), before, after)
    if problems:
        raise ConfigError(problems)
    for place, entries in added.items():
        entries.sort(key=lambda each: each.key)
        editor.insert(("servers", place, "variables"), entries)
    if not added and not changed:
        return ConfigChange(path, text, text)
    result = editor.result()
    try:
        verify(result, path, data)
    except ConfigError as error:
        raise ConfigError(
            [_of_the_table(each, path, sheet_name, places) for each in error.problems]
        ) from None
    return ConfigChange(
        path,
        text,
        result,
        added=sorted(each.key for entries in added.values() for each in entries),
        changed=sorted(changed),
    )


def _of_the_table(problem: str, path: str, sheet_name: str, places: Mapping[str, int]) -> str:
    """*problem* of the new text for *path*, with the line of the table that causes it."""
    match = re.match(re.escape(path) + r":\d+: (.*)", problem, re.DOTALL)
    if match is not None:
        for end in re.finditer(r"[.:\[]", match[1]):
            line = places.get(match[1][: end.start()])
            if line is not None:
                return "%s:%d: %s" % (sheet_name, line, match[1])
    return problem


def _place(loaded: Config, row: Row, server: Optional[str]) -> str:
    place = row.get("server") or server
    if place is None and len(loaded.servers) == 1:
        (place,) = loaded.servers
    if place is None:
        raise ValueError("the cell 'server' is empty; fill it, or use --server")
    if place not in loaded.servers:
        raise ValueError(
            "the configuration has no server %s; it has %s"
            % (shown(place), ", ".join(loaded.servers))
        )
    if loaded.servers[place].at_broker:
        raise ValueError(
            "the server %s is at a broker, so its variables have no nodes; name them in the "
            "configuration" % shown(place)
        )
    return place


def _settings(row: Row, columns: Sequence[str], before: Mapping[str, Any]) -> Dict[str, Any]:
    """The mapping of a variable after *row*, if it was *before*."""
    after: Dict[str, Any] = dict(before)
    for column in COLUMNS:
        if column not in columns or column in ("server", "name", "unit"):
            continue
        try:
            value = _READERS.get(column, str)(row[column]) if column in row else None
        except ValueError as error:
            raise ValueError("%s: %s" % (column, error)) from None
        section, _, member = column.partition("_")
        if section in ("deadband", "limits"):
            members = {k: v for k, v in after.pop(section, {}).items() if k != member}
            if value is not None:
                members[member] = value
            if members:
                after[section] = members
        elif column.startswith("record"):
            _set_record(after, column.partition("_")[2], value)
        elif value is None or (column == "access" and value == "read" and column not in before):
            after.pop(column, None)
        elif value != after.get(column):
            after[column] = value
    return after


def _set_record(after: Dict[str, Any], key: str, value: Any) -> None:
    """Set ``record`` in *after*: whether the variable is recorded, or the number *key* of its
    rule."""
    record = after.pop("record", None)
    if not key:
        record = record if value and isinstance(record, dict) else value
    elif value is not None:
        if record is False:
            raise ValueError("record_%s: the variable is not recorded" % key)
        record = {**(record if isinstance(record, dict) else {}), key: value}
    elif isinstance(record, dict) and key in record:
        record = {each: record[each] for each in record if each != key} or True
    if record is not None:
        after["record"] = record


def _number(cell: str) -> Any:
    if _THOUSANDS.fullmatch(cell):
        # 2.500 is 2.5 in one country and 2500 in another.
        raise ValueError(
            "%s may mean thousands or a fraction; write thousands without a separator, a "
            "fraction without zeros at its end" % shown(cell)
        )
    try:
        value = float(cell.replace(",", "."))
    except ValueError:
        value = math.nan
    if math.isinf(value) and cell[-1].isdigit():
        raise ValueError("%s is too large; expected a number that a Double holds" % shown(cell))
    if not math.isfinite(value):
        raise ValueError("expected a number, got %s" % shown(cell))
    return int(value) if value.is_integer() else value


def _truth(cell: str) -> bool:
    if cell.lower() not in (*_TRUE, *_FALSE):
        raise ValueError("expected true or false, got %s" % shown(cell))
    return cell.lower() in _TRUE


def _type(cell: str) -> str:
    for name in TYPE_IDS:
        if name.lower() == cell.lower():
            return name
    raise ValueError("expected a built-in type such as Double, got %s" % shown(cell))


_READERS: Dict[str, Callable[[str], Any]] = {
    "access": str.lower,
    "trigger": str.lower,
    "type": _type,
    "array": _truth,
    "discard_oldest": _truth,
    "record": _truth,
    "history": str.lower,
    "queue_size": _number,
    **dict.fromkeys(_NUMBERS, _number),
}


def _change(
    editor: Editor, path: Sequence[str], before: Mapping[str, Any], after: Mapping[str, Any]
) -> None:
    """Let *editor* replace the mapping *before* with *after*."""
    if editor.is_flow(path):
        editor.replace(path, after)
        return
    for key in before:
        if key not in after:
            editor.remove((*path, key))
        elif after[key] != before[key]:
            editor.replace((*path, key), after[key])
    editor.insert(path, [Entry(key, after[key]) for key in sorted(after) if key not in before])


def _cell_text(column: str, cell: str) -> str:
    """The content of the *cell*: a text with all its spaces, anything else without those around
    it."""
    cell = cell if column in _TEXTS else cell.strip()
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell[1:]) else cell

"""What is wrong with ``roles``, or should be looked at, that no schema can say.

As in :mod:`opcws.config.check` the data may not match the schema yet; what it refuses is passed
over here.

Pure.
"""

from typing import Any, Dict, List

from . import roles as access
from .settings_roles import ANONYMOUS
from .yamlfile import Document, Path, path_text, shown


def check_roles(data: Dict[str, Any], document: Document) -> None:
    """Add every problem and warning about ``roles`` in *data* to *document*."""
    roles = data.get("roles")
    if not isinstance(roles, dict):
        return
    allowed = _access_of_variables(data)
    all_known = not _looks_for_variables(data)
    owners: Dict[str, Path] = {}
    for name, role in roles.items():
        if not isinstance(role, dict):
            continue
        path: Path = ("roles", name)
        _patterns(role.get("read"), path + ("read",), allowed, "write", document, all_known)
        _patterns(role.get("write"), path + ("write",), allowed, "read", document, all_known)
        if name == ANONYMOUS and role.get("write"):
            document.warn(
                path + ("write",),
                "everyone who can connect may write these, without showing who it is; give a role "
                "with a token or a user the right instead",
            )
        certificates = role.get("certificates")
        if isinstance(certificates, list):
            _certificates(name, certificates, path + ("certificates",), owners, document)


def _access_of_variables(data: Dict[str, Any]) -> Dict[str, str]:
    found: Dict[str, str] = {}
    servers = data.get("servers")
    for server in servers.values() if isinstance(servers, dict) else ():
        variables = server.get("variables") if isinstance(server, dict) else None
        if isinstance(variables, dict):
            for name, variable in variables.items():
                given = variable.get("access", "read") if isinstance(variable, dict) else "read"
                found[name] = str(given)
    return found


def _looks_for_variables(data: Dict[str, Any]) -> bool:
    servers = data.get("servers")
    listed = servers.values() if isinstance(servers, dict) else ()
    return any(isinstance(each, dict) and "browse" in each for each in listed)


def _patterns(
    patterns: Any,
    path: Path,
    allowed: Dict[str, str],
    useless: str,
    document: Document,
    all_known: bool,
) -> None:
    """*useless* is the access of a variable with which a match grants nothing; *all_known* is
    false if there are variables that only the OPC UA servers know."""
    for index, pattern in enumerate(patterns if isinstance(patterns, list) else ()):
        if not isinstance(pattern, str):
            continue
        where = path + (index,)
        try:
            matches = access.matcher([pattern])
        except ValueError as error:
            document.problem(where, "%s %s; expected such as Boiler.*" % (shown(pattern), error))
            continue
        if not all_known:
            continue
        useful = False
        matched = False
        for name, given in allowed.items():
            if matches(name):
                matched = True
                useful = given != useless
                if useful:
                    break
        if not matched:
            document.warn(where, "no variable matches %s; capitals and dots count" % shown(pattern))
        elif not useful:
            wanted = "can only be read" if useless == "read" else "can only be written"
            document.warn(
                where,
                "every variable that matches %s %s, whatever the role; set the 'access' of those "
                "that are meant to readwrite" % (shown(pattern), wanted),
            )


def _certificates(
    name: str, texts: List[Any], path: Path, owners: Dict[str, Path], document: Document
) -> None:
    if name == ANONYMOUS and texts:
        document.problem(
            path,
            "anonymous is the role of clients that show no credential; name certificates in "
            "another role",
        )
    for index, text in enumerate(texts):
        if isinstance(text, str):
            where = path + (index,)
            first = owners.setdefault(access.certificate_key(text), where)
            if first is not where:
                document.problem(
                    where,
                    "%s is in %s already; a certificate has one role"
                    % (shown(text), path_text(first)),
                )

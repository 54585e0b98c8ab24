"""``/views``: the shared views of the page, over HTTP.

``GET /views`` lists those that the role may see, ``GET /views/NAME`` returns one; a role with the
right ``views`` may create and delete them.  A view exists for a role that has that right, or for
which every variable in it exists.  ``If-Match`` and ``If-None-Match: *`` (RFC 9110 13.1) keep two
people from overwriting each other's changes.
"""

import json
from typing import Callable, Optional

from ..config.roles import Role, visible
from ..operations import view_files
from ..operations.view_files import View, ViewFiles
from .http_message import Request, Response, refuse

_PATH = "/views"


def is_one(request: Request) -> bool:
    """Whether *request* is about views."""
    return request.path == _PATH or request.path.startswith(_PATH + "/")


def answer(
    request: Request, role: Callable[[], Role], files: ViewFiles, body: Callable[[int], bytes]
) -> Response:
    """The response to *request* of a client with the present *role*; *body* reads its body, up to
    so many bytes.  Raises :exc:`~opcws.ws.http_message.Refused`."""
    name = request.path[len(_PATH) + 1 :]
    if request.method in ("GET", "HEAD"):
        return _one(role(), files, name) if name else _all(role(), files)
    if not name or request.method not in ("PUT", "DELETE"):
        allowed = "GET, HEAD, PUT, DELETE" if name else "GET, HEAD"
        raise refuse(405, "only %s is allowed here" % allowed, ("Allow", allowed))
    _require(role())
    seen = _seen(request)
    try:
        if request.method == "DELETE":
            if not files.remove(name, seen):
                raise refuse(404, "there is no such view")
            return Response(200)
        view = view_files.parse(body(view_files.MOST_BYTES))
        _require(role())  # the role may have changed while the body came
        if view.name.casefold() != name.casefold():
            raise refuse(400, "Name: expected %s, as in the path, got %s" % (name, view.name))
        return Response(201 if files.put(view, seen) else 200, headers=(("ETag", _tag(view)),))
    except ValueError as error:
        raise refuse(400, str(error)) from None
    except view_files.Changed:
        raise refuse(412, "somebody else has changed the view; load it again") from None
    except view_files.Full:
        most = "there are %d views already; delete one first" % view_files.MOST
        raise refuse(507, most) from None
    except OSError as error:
        raise refuse(500, "the view cannot be saved: %s" % error.strerror) from None


def _require(role: Role) -> None:
    if not role.views:
        raise refuse(403, "your role may not change views; its 'views: true' would allow it")


def _all(role: Role, files: ViewFiles) -> Response:
    names = [view.name for view in files.all() if _exists(view, role)]
    document = {"Views": names, "MayChange": role.views}
    return Response(200, json.dumps(document).encode("ascii") + b"\n", "application/json")


def _one(role: Role, files: ViewFiles, name: str) -> Response:
    view = files.get(name)
    if view is None or not _exists(view, role):
        raise refuse(404, "there is no such view")
    return Response(200, view.text, "application/json", (("ETag", _tag(view)),))


def _exists(view: View, role: Role) -> bool:
    return role.views or all(visible(role, each) for each in view.variables)


def _tag(view: View) -> str:
    return '"%s"' % view.tag


def _seen(request: Request) -> Optional[str]:
    """The tag of the view that the client has seen, ``""`` if it has seen none; ``None`` if the
    request has no such condition."""
    if request.header("if-none-match") == "*":
        return ""
    tag = request.header("if-match")
    return None if tag in (None, "*") else str(tag).strip('"')

"""The configuration: from a file to objects for the other rooms.

:func:`load` takes a file, :func:`loads` its text, and both give one frozen
:class:`~opcws.config.settings.Config`, or raise :exc:`~opcws.model.errors.ConfigError` with every
problem at once, each with its line and the remedy.

=============  ====================================================================================
Setting        One value that the file may give, such as ``listen.port``.  ``settings.py`` has its
               name, type and default; ``schemas/config.schema.json`` its meaning, unit and limits.
Document       The file as data, which leads from a path (``servers.plant.endpoint``) to a line, and
               with what was found: a *problem* stops the loading, a *warning* does not.
Role           What a client may do, computed for every variable when the file is loaded.  What the
               file says of a role are its *permissions*.
Access         What any client may do with one variable; a role can only narrow it.
Difference     What is new in a second configuration, and what it takes to go over to it.
Variable name  What clients know a variable by: the file says it, or it is made of the BrowseNames
               on the way to a node that was found by browsing.
=============  ====================================================================================

A configuration is read by ``yaml_document``, checked by ``check`` and built by ``loader``; the
running server uses ``roles`` and ``difference``.  A new setting needs a line in ``settings.py``,
its rule in the schema, its row in ``docs/pages/settings.rst``, and its use; tests compare the first
three.

No thread lives here, and nothing here waits: its objects never change after they were made, so any
thread may read them.  It opens only the file itself and the files that it names.  This room imports
``wire`` (for the schema and index ranges) and ``model``.
"""

from .loader import load, loads, read_text

__all__ = ["load", "loads", "read_text"]

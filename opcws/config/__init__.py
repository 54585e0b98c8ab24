"""The configuration: from a file to what the rest of the house goes by.

:func:`load` takes a file, :func:`loads` its text, and both give one frozen
:class:`~opcws.config.settings.Config`, or raise :exc:`~opcws.model.errors.ConfigError` with every
problem at once, each with its line and what would be right.

=============  ====================================================================================
Setting        One value that the file may give, such as ``listen.port``.  ``settings.py`` has its
               name, type and default; ``schemas/config.schema.json`` its meaning, unit and limits.
Document       The file as data, with the way back from a path (``servers.plant.endpoint``) to a
               line, and with what was found: a *problem* stops the loading, a *warning* does not.
Role           What a client may do, worked out for every variable when the file is loaded.  What
               the file says of a role are its *permissions*.
Access         What any client may do with one variable; a role can only narrow it.
Difference     What is new in a second configuration, and what it takes to go over to it.
Variable name  What clients know a variable by: the file says it, or it is made of the BrowseNames
               on the way to a node that was found by browsing.
=============  ====================================================================================

A configuration is read by ``yaml_document``, checked by ``check`` and built by ``loader``; with
``roles`` and ``difference`` the running server works.  A new setting needs a line in
``settings.py``, its rule in the schema, its row in ``docs/pages/settings.rst``, and its use; tests
hold the first three together.

No thread lives here, and nothing here waits: what leaves the room is never changed after it was
made, so that any thread may read it.  Only the file itself, and those that it names, are
opened.  This room imports ``wire`` (for the schema and index ranges) and ``model``.
"""

from .loader import load, loads, read_text

__all__ = ["load", "loads", "read_text"]

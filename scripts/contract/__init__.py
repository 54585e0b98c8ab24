"""The source of ``schemas/``: the contract of each message, in plain dictionaries.

:mod:`contract.forms`     the functions with which the others are written
:mod:`contract.values`    values and their parts, in both scalar dialects
:mod:`contract.requests`  messages from clients
:mod:`contract.answers`   messages from the server
:mod:`contract.documents` documents of the server over HTTP, and a line of its audit log
:mod:`contract.typed`     the same as types, for code generators
:mod:`contract.asyncapi`  the same as an AsyncAPI document
``examples.json``         the examples in each file, by its name

``scripts/schemas.py`` makes the files from this.  Standard library only.
"""

"""The source of ``schemas/``: what the contract says about each message, in plain dictionaries.

:mod:`contract.forms`     the few words that the others are written in
:mod:`contract.values`    values and what is in them, in both scalar dialects
:mod:`contract.requests`  what clients send
:mod:`contract.answers`   what the server sends
:mod:`contract.documents` what the server says over HTTP, and a line of its audit log
:mod:`contract.typed`     the same as types, for who makes code of it
:mod:`contract.asyncapi`  the same as an AsyncAPI document
``examples.json``         the examples in each file, by its name

``scripts/schemas.py`` makes the files of this.  Standard library only.
"""

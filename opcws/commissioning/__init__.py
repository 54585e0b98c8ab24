"""Commissioning: from the address of an OPC UA server to a configuration that serves, and from a
configuration that does not serve to the reason why.

Each command has a module: ``discover`` (what security a server offers), ``browse`` (its variables),
``init`` (five questions, a first configuration), ``spreadsheet`` (variables as a table and back),
``asneg`` (imports an installation of the ASNeG OPC UA Web Server), ``check`` (is everything in the
configuration there?), ``doctor`` (examines the whole installation), ``pki`` (the certificate of
opcws and the trust list), ``tls_certificates`` (the pair for ``listen.tls``), ``kit`` (installs,
upgrades and removes an offline kit), ``client_files`` (the variables as types, for a program;
``client_names`` has their identifiers, ``client_csharp``, ``client_python`` and
``client_typescript`` have the languages).  The words that they share:

target The OPC UA server of a command, with the settings to connect to it: given by its address, or
from a configuration (:mod:`~opcws.commissioning.targets`). explored The result of browsing a
target: its nodes, and the variables with their names for clients. change A change of a
configuration file: the text before and after, and how many variables were added, changed or known.
It is shown or saved; nothing is written before it has been checked
(:mod:`~opcws.commissioning.config_file`). entry A key with its value and its comments, to insert
into a user's YAML or JSON text, where every other character stays
(:mod:`~opcws.commissioning.yaml_edit`). finding One line of a report: is it good, what was found,
what to do.

Threads: a command's own thread calls everything here.  Calls to an OPC UA server run on the thread
``opcws-browse``, so that the terminal shows the progress and Ctrl-C works at once; ``check`` and
``doctor`` start plants, which have their own threads, and stop them before they return.

Imports: anything below (ROOMS in ``tests/test_architecture.py``); only ``cli`` knows this room.  It
asks and prints nothing itself: functions return lines, or get a dialog.
"""

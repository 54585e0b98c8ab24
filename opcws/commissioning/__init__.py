"""Commissioning: from the address of an OPC UA server to a configuration that serves, and from a
configuration that does not serve to the reason why.

Each command has a module: ``discover`` (what security a server offers), ``browse`` (its variables),
``init`` (five questions, a first configuration), ``spreadsheet`` (variables as a table and back),
``asneg`` (an installation of the ASNeG OPC UA Web Server taken over), ``check`` (is everything in
the configuration there?), ``doctor`` (the whole installation, examined), ``pki`` (our certificate
and whom we trust), ``tls_certificates`` (the pair for ``listen.tls``), ``kit`` (an
offline kit installed, upgraded, removed), ``client_files`` (the variables as types, for a program;
``client_names`` has their identifiers, ``client_csharp``, ``client_python`` and
``client_typescript`` have the languages).  The words that they share:

target
    The OPC UA server that a command is pointed at, with the settings that lead there: by its
    address, or out of a configuration (:mod:`~opcws.commissioning.targets`).
explored
    What browsing a target found: its nodes, and the variables with the names that clients get.
change
    What becomes of a configuration file: the text before and after, and how many variables were
    added, changed or known.  It is shown or saved; nothing is written before it is known to be
    good (:mod:`~opcws.commissioning.config_file`).
entry
    A key with its value and its comments, as it is put into a person's YAML or JSON text, of which
    every other character stays (:mod:`~opcws.commissioning.yaml_edit`).
finding
    One line of a report: is it good, what is there, what is to be done.

Threads: a command's own thread calls everything here.  What waits for an OPC UA server runs on the
thread ``opcws-browse``, so that the terminal is kept up to date and Ctrl-C works at once; ``check``
and ``doctor`` start plants, which have their own threads, and stop them before they return.

Imports: anything below (ROOMS in ``tests/test_architecture.py``); only ``cli`` knows this room.  It
asks and prints nothing itself: functions return lines, or are handed a dialog.
"""

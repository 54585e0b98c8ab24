"""What a person types: ``opcws COMMAND``.  Parse, call, print.

A command is a function of click in the module that bears its name, or that of a sister: ``serve``
has ``reload``, ``stop`` and ``demo`` beside it, ``variables`` has ``list``, ``info``, ``read`` and
``write``.  The work is done, and tested, in the rooms below; here are the options, the call, and
the look of the result.  To add one: the function, its line in ``main.COMMANDS``, its section in
``docs/pages/commands.rst``, and its test.

The words of this room:

*exit code*  tells a script the result; :mod:`~opcws.cli.common` lists them.  A problem is an
             exception until :mod:`~opcws.cli.main` or :mod:`~opcws.cli.connection` prints it in one
             line and exits with its code;
*client*     :mod:`opcws.client`: ``list``, ``info``, ``read``, ``write``, ``watch`` and
             ``history`` know of opcws only what goes over the wire;
*terminal*   shows tables, colours and redrawn lines, through rich.  A pipe gets neither colours
             nor shortened texts, so that scripts read the same everywhere;
*clean*      text from elsewhere without control characters: a value cannot move the cursor, and a
             name is not read as markup;
*note*       a sentence for the user, on standard error, while the result goes on to a program.

One thread runs here, the main one, and signals interrupt it.  Any room below may be imported.  A
module or function imports what only its command needs, so that ``opcws serve`` loads neither rich
nor the commissioning, and ``opcws read`` loads no server.
"""

"""What a person types: ``opcws COMMAND``.  Parse, call, print.

A command is a function of click in the module that bears its name, or that of a sister: ``serve``
has ``reload``, ``stop`` and ``demo`` beside it, ``variables`` has ``list``, ``info``, ``read`` and
``write``.  What it does is done in the rooms below, and there it is tested; here are its options,
the call, and how the result looks.  To add one: the function, its line in ``main.COMMANDS``, its
section in ``docs/pages/commands.rst``, and its test.

The words of this room:

*exit code*  what a script learns; each is in :mod:`~opcws.cli.common`, and each problem is an
             exception until :mod:`~opcws.cli.main` or :mod:`~opcws.cli.connection` tells it in one
             line and leaves with its code;
*client*     :mod:`opcws.client` as anybody may use it: ``list``, ``info``, ``read``, ``write``,
             ``watch`` and ``history`` know of opcws only what goes over the wire;
*terminal*   where tables, colours and what is redrawn go, through rich.  In a pipe there are
             neither colours nor cuts, so that scripts find the same there in every window;
*clean*      text from elsewhere that can no longer command the terminal: a value cannot move the
             cursor, nor a name be taken for markup;
*note*       a sentence to the person, on standard error, while the result goes on to a program.

One thread runs here, the main one, and signals interrupt it.  Any room below may be imported;
what a command alone needs is imported by its module or function, so that ``opcws serve`` carries
neither rich nor the commissioning, and ``opcws read`` no server.
"""

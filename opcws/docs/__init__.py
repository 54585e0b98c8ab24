"""The documentation for ``opcws docs`` in a terminal and ``/docs`` in a browser.

Words:

* A *topic* is a page: its name in the command, its title, its group and a summary.
  :data:`.topics.TOPICS` lists them; a new page is a file below ``pages/`` and a line there (and one
  in the README, which leads to every page).
* The *source* of a page is reStructuredText: a file below ``pages/``, or, for the messages, the
  document at ``/status`` and AsyncAPI, made from the files in ``schemas/`` on request
  (:mod:`.reference`).
* A *section* is the part of a page below one of its titles.
* A *document* is a page as HTML, with the list of all pages beside it.

The terminal shows the source of a page (:mod:`.topics`).  For a browser docutils makes a document
of it, once (:mod:`.html`). docutils is imported for the first document only: it takes a tenth of a
second and some megabytes.  The search reads the sources, for both (:mod:`.search`).

Threads: any may request a page; in the server the readers of connections do.  A lock ensures that
each document is made once, another one does the same for the index of the search.

May import :mod:`opcws.wire`, for the schemas, and :mod:`opcws.model`; it uses no socket.
"""

"""The documentation, as ``opcws docs`` shows it in a terminal and ``/docs`` in a browser.

Words:

* A *topic* is a page: the name that is typed for it, its title, its group and one line that says
  what it is about.  :data:`.topics.TOPICS` lists them; a new page is a file below ``pages/`` and a
  line there (and one in the README, which leads to every page).
* The *source* of a page is reStructuredText: a file below ``pages/``, or, for the messages, the
  document at ``/status`` and AsyncAPI, made from the files in ``schemas/`` when somebody asks
  (:mod:`.reference`).
* A *section* is the part of a page below one of its titles.
* A *document* is a page as HTML, with the list of all pages beside it.

In the terminal a page is shown as it is written (:mod:`.topics`).  For a browser docutils makes a
document of it, once (:mod:`.html`).  docutils is imported when the first document is asked for,
and not by those who only serve values: it takes a tenth of a second and some megabytes.  Where
words are is found in the sources, for both (:mod:`.search`).

Threads: any may ask for a page; in the server the readers of connections do.  A lock sees to it
that each document is made once, another that the index of the search is.

May import :mod:`opcws.wire`, for the schemas, and :mod:`opcws.model`; knows no socket.
"""

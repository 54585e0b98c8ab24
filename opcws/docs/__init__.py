"""The documentation, as ``opcws docs`` shows it in a terminal and ``/docs`` in a browser.

One source: the pages below ``pages/`` (a part of reStructuredText, :mod:`.restructured`) and the
schema files (:mod:`.reference`) become blocks (:mod:`.blocks`), and these become text
(:mod:`.plain`) or HTML (:mod:`.html`).

Pure: no socket, no thread, no clock.
"""

"""Which form of opcws runs: :data:`PURE`, which Python reads as it is, or :data:`COMPILED`, where
``setup.py`` has compiled what every value passes through.  They do the same."""

from ..wire import frames

PURE, COMPILED = "pure", "compiled"
#: One of the two.
FORM = PURE if (frames.__file__ or "").endswith((".py", ".pyc")) else COMPILED

"""Which form of opcws runs: :data:`PURE`, plain Python, or :data:`COMPILED`, where ``setup.py`` has
compiled the modules that handle every value.  They do the same."""

from ..wire import frames

PURE, COMPILED = "pure", "compiled"
#: One of the two.
FORM = PURE if (frames.__file__ or "").endswith((".py", ".pyc")) else COMPILED

"""The tests of opcws; see README.rst for how to run them."""

from pathlib import Path

#: The checkout.
ROOT = Path(__file__).resolve().parent.parent

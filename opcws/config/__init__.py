"""The configuration: what its file may say, and what it says."""

from .loader import load, loads, read_text

__all__ = ["load", "loads", "read_text"]

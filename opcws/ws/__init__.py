"""The socket side: everything that imports ``simple_websocket``."""

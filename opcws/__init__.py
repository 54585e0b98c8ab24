"""Between WebSocket clients (JSON) and OPC UA servers: named variables, one contract."""

__version__ = "0.1.0"

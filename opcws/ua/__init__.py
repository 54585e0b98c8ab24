"""The OPC UA side: everything that imports ``opcua``."""

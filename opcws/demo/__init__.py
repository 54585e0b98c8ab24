"""A simulated plant: an OPC UA server on loopback, for ``opcws demo`` and for the tests.

A boiler house whose values move slowly and believably, one writable variable of every built-in
type, the awkward values (null, empty, NaN, Uncertain, Bad), and history on some of them.

    variables.py    what there is to see: the table of variables, and a configuration for it
    physics.py      how the values move
    history.py      what the values were (OPC 10000-11)
    plant.py        the server: :class:`Plant`

``python -m opcws.demo --port 4840`` runs the plant alone, as a process that can be killed.
"""

from .plant import Plant
from .variables import URI, Variable, config_text, variables

__all__ = ["URI", "Plant", "Variable", "config_text", "variables"]

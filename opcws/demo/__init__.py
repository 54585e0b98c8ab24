"""A simulated plant: an OPC UA server on loopback, for ``opcws demo`` and for the tests.

A boiler house whose values move slowly and believably, one writable variable of every built-in
type, the awkward values (null, empty, NaN, Uncertain, Bad), and history on some of them.

Words:

* The *plant* is the OPC UA server (:mod:`.plant`), based on that of python-opcua, but as strict as
  the standard.
* A *variable* is a value of the plant.  One table lists them, for the address space, the demo's
  configuration and the tests (:mod:`.variables`).
* The *boiler* is the physics: how the values move (:mod:`.boiler`).
* *History* has the past values of some variables (:mod:`.history`, OPC 10000-11).

Threads: two for each plant, which starts and stops them: ``opcws-demo-loop`` has the network and
answers every service call, ``opcws-demo-clock`` moves the values.  Tests enter through
:meth:`Plant.set` and :meth:`Plant.get` on any thread.

May import :mod:`opcws.model`, but nothing of opcws' own side of OPC UA, which it tests.
"""

from .plant import Plant
from .variables import URI, Variable, config_text, variables

__all__ = ["URI", "Plant", "Variable", "config_text", "variables"]

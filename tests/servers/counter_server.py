"""A python-opcua server whose counters count, for the tests of order, loss and recovery.

``python counter_server.py --port P`` prints ``ready URL`` when it listens, then takes commands on
standard input, one a line, and answers each with ``done``:

``end-subscriptions``   every subscription ends with a StatusChangeNotification (BadTimeout)
``clock SECONDS``       the server's clock is moved

It ends with its standard input.
"""

import argparse
import logging
import sys
import threading
from datetime import datetime, timedelta
from typing import Any, List

from opcua import Server, ua
from opcua.common import connection, utils
from opcua.server import internal_server, internal_subscription, uaprocessor
from opcua.server.subscription_service import SubscriptionService

URI = "urn:counting"


class _Clock(datetime):
    """The library's clock, which can be moved."""

    ahead = timedelta()

    @classmethod
    def utcnow(cls) -> Any:
        return datetime.utcnow() + cls.ahead


#: Taken while the counters count: no change may come between the first value of a monitored item
#: and the changes after it, which the library does not see to.
_counting = threading.RLock()


def add_variable(server: Any, folder: Any, index: int, name: str, value: Any) -> Any:
    data_type = ua.NodeId(value.VariantType.value, 0)
    node = folder.add_variable(
        ua.NodeId(name, index), ua.QualifiedName(name, index), value, datatype=data_type
    )
    node.set_writable()
    return node.nodeid


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--counters", type=int, default=10)
    parser.add_argument("--texts", type=int, default=0)
    parser.add_argument("--period-ms", type=float, default=20.0)
    parser.add_argument("--begin", type=int, default=0, help="the number before the first")
    parser.add_argument("--namespace", action="append", default=[])
    parser.add_argument("--without", action="append", default=[])
    parser.add_argument("--as-text", action="append", default=[])
    parser.add_argument("--text-bytes", type=int, default=0, help="of each text, at least")
    parser.add_argument("--most", type=int, default=0, help="nodes taken in one service call")
    parser.add_argument("--secret", action="store_true", help="and nobody is told")
    parser.add_argument("--most-items", type=int, default=0, help="in one subscription")
    parser.add_argument("--most-subscriptions", type=int, default=99)
    parser.add_argument("--refuse-whole", action="store_true", help="requests with one too many")
    parser.add_argument("--most-elements", type=int, default=0, help="MaxArrayLength")
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    options = parser.parse_args()
    logging.getLogger("opcua").setLevel(logging.CRITICAL)
    connection.datetime = _Clock

    server = Server()
    server.set_application_uri("urn:counting:server")
    server.set_endpoint("opc.tcp://127.0.0.1:%d" % options.port)
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    if options.certificate:
        server.set_security_policy([ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt])
        server.load_certificate(options.certificate)
        server.load_private_key(options.key)
    for uri in options.namespace:
        server.register_namespace(uri)
    index = server.register_namespace(URI)
    folder = server.get_objects_node().add_folder(index, "Counting")
    counters: List[Any] = []
    for number in range(options.counters):
        name = "Count.%d" % number
        if name in options.without:
            continue
        as_text = name in options.as_text
        value = ua.Variant("text", ua.VariantType.String)
        if not as_text:
            value = ua.Variant(options.begin, ua.VariantType.UInt32)
        node_id = add_variable(server, folder, index, name, value)
        if not as_text:
            counters.append(node_id)
    for number in range(options.texts):
        text = ("text number %06d" % number).ljust(options.text_bytes)
        value = ua.Variant(text, ua.VariantType.String)
        add_variable(server, folder, index, "Text.%d" % number, value)
    add_variable(server, folder, index, "Setpoint", ua.Variant(1.5, ua.VariantType.Double))
    # The library's server writes a traceback for each client that breaks off.
    uaprocessor.UaProcessor.close = _quiet(uaprocessor.UaProcessor.close)
    array = ua.Variant([0], ua.VariantType.Int32)
    add_variable(server, folder, index, "Array", array)
    structure = ua.ExtensionObject()
    structure.TypeId, structure.Encoding = ua.NodeId(5002, index), 1
    structure.Body = b"\x07\x00\x00\x00Malt"
    value = ua.Variant(structure, ua.VariantType.ExtensionObject)
    add_variable(server, folder, index, "Structure", value)
    if options.most:
        _refuse_more_than(options.most)
    if options.most_items:
        _limit_items(options.most_items, options.most_subscriptions, options.refuse_whole)
    if options.most and not options.secret:
        for number in (11705, 11707, 11712, 11714):  # of the OperationLimits
            _state(server, number, options.most)
    _state(server, 11702, options.most_elements)
    items = internal_subscription.MonitoredItemService
    items.create_monitored_items = _in_turn(items.create_monitored_items)
    server.start()
    ending = threading.Event()

    def count() -> None:
        number = options.begin
        space = server.iserver.aspace
        while not ending.wait(options.period_ms / 1000.0):
            number += 1
            now = datetime.utcnow() + _Clock.ahead
            for node_id in counters:
                variant = ua.Variant(number, ua.VariantType.UInt32)
                value = ua.DataValue(variant, sourceTimestamp=now, serverTimestamp=now)
                with _counting:
                    space.set_attribute_value(node_id, ua.AttributeIds.Value, value)

    counting = threading.Thread(target=count, daemon=True)
    counting.start()
    print("ready opc.tcp://127.0.0.1:%d" % options.port, flush=True)
    for line in sys.stdin:
        _obey(server, line.split())
        print("done", flush=True)
    ending.set()
    counting.join()
    server.stop()


def _obey(server: Any, command: List[str]) -> None:
    service = server.iserver.subscription_service
    if command[0] == "end-subscriptions":
        for subscription in list(service.subscriptions.values()):
            status = ua.StatusCode(ua.StatusCodes.BadTimeout)
            subscription.monitored_item_srv.trigger_statuschange(status)
    elif command[0] == "clock":
        _Clock.ahead += timedelta(seconds=float(command[1]))
    else:
        raise SystemExit("unknown command %r" % command)


def _state(server: Any, number: int, limit: int) -> None:
    server.get_node(ua.NodeId(number)).set_value(ua.Variant(limit, ua.VariantType.UInt32))


def _refuse_more_than(most: int) -> None:
    session = internal_server.InternalSession
    lists = {
        "read": "NodesToRead",
        "write": "NodesToWrite",
        "create_monitored_items": "ItemsToCreate",
    }
    for name, member in lists.items():
        setattr(session, name, _limited(getattr(session, name), member, most))


def _limit_items(most: int, subscriptions: int, whole: bool) -> None:
    """No subscription takes more than *most* items; the rest or the *whole* request is refused."""
    items, service = internal_subscription.MonitoredItemService, SubscriptionService
    create_items, create = items.create_monitored_items, service.create_subscription

    def created_items(self: Any, params: Any) -> Any:
        room = most - len(self._monitored_items)
        asked = params.ItemsToCreate
        if whole and len(asked) > room:
            raise utils.ServiceError(ua.StatusCodes.BadTooManyMonitoredItems)
        params.ItemsToCreate = asked[:room]
        results = create_items(self, params)
        for _ in asked[room:]:
            results.append(ua.MonitoredItemCreateResult())
            results[-1].StatusCode = ua.StatusCode(ua.StatusCodes.BadTooManyMonitoredItems)
        return results

    def created(self: Any, *arguments: Any) -> Any:
        if len(self.subscriptions) >= subscriptions:
            raise utils.ServiceError(ua.StatusCodes.BadTooManySubscriptions)
        return create(self, *arguments)

    items.create_monitored_items = created_items
    service.create_subscription = created


def _limited(service: Any, member: str, most: int) -> Any:
    def answer(self: Any, params: Any) -> Any:
        if len(getattr(params, member)) > most:
            raise utils.ServiceError(ua.StatusCodes.BadTooManyOperations)
        return service(self, params)

    return answer


def _in_turn(create: Any) -> Any:
    def created(self: Any, params: Any) -> Any:
        with _counting:
            return create(self, params)

    return created


def _quiet(close: Any) -> Any:
    def closed(self: Any) -> None:
        try:
            close(self)
        except Exception:
            logging.debug("closing", exc_info=True)

    return closed


if __name__ == "__main__":
    main()

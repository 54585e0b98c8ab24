"""An asyncua server as a process, with what the demo plant lacks: DataTypeDefinitions, ids of
every kind, index ranges, deadbands and queues that overflow.

    python -m tests.servers.values_plant [plain] PORT

It prints ``ready`` and then takes one JSON object a line: ``{"Name": [values]}`` changes the
variable ``Name`` to each of the values with no publish in between, and is answered ``done``;
``{"add": "Name"}`` adds a variable.  It ends with its input.  ``plain`` leaves out what is
added here to asyncua: index ranges, which asyncua does not look at, percent deadbands and the
overflow bit.
"""

import asyncio
import json
import sys
import uuid
from typing import Any, Dict, List

from asyncua import Server, ua
from asyncua.common.structures104 import new_enum, new_struct, new_struct_field
from asyncua.server import internal_subscription
from asyncua.server.address_space import AttributeService
from asyncua.server.monitored_item_service import MonitoredItemService

URI = "urn:test:values; with 100% of everything"
OVERFLOW = 0x480
BAD_INDEX_RANGE_DATA_MISMATCH = 0x80EA0000
GUID = uuid.UUID("72962b91-fa75-4ae6-8d28-b404dc7daf63")

#: The ranges of the variables that have one.
RANGES: Dict[Any, Any] = {}


def part(value: Any, index_range: str) -> Any:
    """The elements of the list *value* in a range of one dimension, or ``None`` for none."""
    first, _, last = index_range.partition(":")
    return value[int(first) : int(last or first) + 1] or None


def ranged(value: Any, index_range: Any) -> Any:
    """*value*, a DataValue, seen through an index range (OPC 10000-4 7.27)."""
    if not index_range:
        return value
    if not isinstance(value.Value.Value, list):
        return ua.DataValue(None, ua.StatusCode(ua.StatusCodes.BadIndexRangeNoData))
    some = part(value.Value.Value, index_range)
    if some is None:
        return ua.DataValue(None, ua.StatusCode(ua.StatusCodes.BadIndexRangeNoData))
    return ua.DataValue(
        ua.Variant(some, value.Value.VariantType),
        value.StatusCode,
        value.SourceTimestamp,
        value.ServerTimestamp,
    )


class RangedAttributes(AttributeService):
    def read(self, params: Any) -> List[Any]:
        return [
            ranged(result, item.IndexRange)
            for item, result in zip(params.NodesToRead, super().read(params))
        ]

    async def write(self, params: Any, user: Any = None) -> List[Any]:
        results = []
        for item in params.NodesToWrite:
            if item.IndexRange:
                whole = self._aspace.read_attribute_value(item.NodeId, item.AttributeId).Value
                first = int(item.IndexRange.partition(":")[0])
                new = item.Value.Value.Value
                old = part(whole.Value, item.IndexRange)
                if not isinstance(new, list) or old is None or len(new) != len(old):
                    results.append(ua.StatusCode(BAD_INDEX_RANGE_DATA_MISMATCH))
                    continue
                values = [*whole.Value[:first], *new, *whole.Value[first + len(new) :]]
                item.Value = ua.DataValue(ua.Variant(values, whole.VariantType))
                item.IndexRange = None
            one = ua.WriteParameters()
            one.NodesToWrite = [item]
            results.extend(await super().write(one))
        return results


class StrictItems(MonitoredItemService):
    """Index ranges, percent deadbands, and filters that are refused where they make no sense."""

    def _make_monitored_item_common(self, params: Any) -> Any:
        result, item = super()._make_monitored_item_common(params)
        item.read_value_id = params.ItemToMonitor
        item.discard_oldest = params.RequestedParameters.DiscardOldest
        return result, item

    async def _create_data_change_monitored_item(self, params: Any) -> Any:
        wanted = params.RequestedParameters
        name = params.ItemToMonitor.NodeId.Identifier
        if name == "Denied":
            result = ua.MonitoredItemCreateResult()
            result.StatusCode = ua.StatusCode(ua.StatusCodes.BadUserAccessDenied)
            return result
        value = self.aspace.read_attribute_value(params.ItemToMonitor.NodeId, 13)
        band = wanted.Filter.DeadbandType if wanted.Filter else 0
        if band and value.Value and not isinstance(value.Value.Value, (int, float)):
            result = ua.MonitoredItemCreateResult()
            result.StatusCode = ua.StatusCode(ua.StatusCodes.BadFilterNotAllowed)
            return result
        result = await super()._create_data_change_monitored_item(params)
        result.RevisedSamplingInterval = max(wanted.SamplingInterval, 20.0)
        return result

    async def datachange_callback(self, handle: int, value: Any, error: Any = None) -> None:
        item = self._monitored_items[self._monitored_datachange[handle]]
        await super().datachange_callback(
            handle, ranged(value, item.read_value_id.IndexRange), error
        )

    def _is_deadband_exceeded(self, values: Any, flt: Any) -> bool:
        if flt.DeadbandType != ua.DeadbandType.Percent:
            return bool(super()._is_deadband_exceeded(values, flt))
        old, new = values.get_old_datavalue(), values.get_current_datavalue()
        if old is None:
            return True
        low, high = RANGES["Level"]
        least = flt.DeadbandValue / 100.0 * (high - low)
        return bool(abs(new.Value.Value - old.Value.Value) > least)


async def enqueue_flagged(
    self: Any, mid: int, event: Any, size: int, queue: Dict[int, List[Any]]
) -> None:
    """A queue that says what it lost (OPC 10000-4 5.13.1.5, 7.39.1)."""
    waiting = queue.setdefault(mid, [])
    waiting.append(event)
    if len(waiting) == 1:
        await self._trigger_publish()
    if 0 < size < len(waiting):
        if self.monitored_item_srv._monitored_items[mid].discard_oldest:
            del waiting[0]
            flagged = waiting[0]
        else:
            del waiting[-2]
            flagged = waiting[-1]
        if size > 1:
            status = ua.StatusCode(flagged.Value.StatusCode.value | OVERFLOW)
            value = flagged.Value
            flagged.Value = ua.DataValue(
                value.Value, status, value.SourceTimestamp, value.ServerTimestamp
            )


class Plant:
    def __init__(self, server: Any) -> None:
        self.server = server
        self.index = 0
        self.nodes: Dict[str, Any] = {}

    async def add(self, name: str, value: Any, data_type: Any = None, node: Any = None) -> Any:
        node_id = ua.NodeId(name, self.index) if node is None else node
        added = await self.server.nodes.objects.add_variable(
            node_id,
            ua.QualifiedName(name, self.index),
            value,
            datatype=data_type.nodeid if data_type is not None else None,
        )
        await added.set_writable()
        self.nodes[name] = added
        return added

    async def enum(self, name: str, values: Dict[str, int]) -> Any:
        made = await new_enum(self.server, self.index, name, list(values))
        definition = ua.EnumDefinition()
        for text, value in values.items():
            field = ua.EnumField()
            field.Name, field.Value = text, value
            field.DisplayName = ua.LocalizedText(text.upper())
            definition.Fields.append(field)
        await made.write_data_type_definition(definition)
        return made

    async def build(self) -> None:
        server = self.server
        self.index = index = await server.register_namespace(URI)
        mode = await self.enum("Mode", {"Hand": 0, "Auto": 1, "Service": 2})
        grade = await self.enum("Grade", {"Low": 10, "High": 20})
        step, _ = await new_struct(
            server,
            index,
            "Step",
            [
                new_struct_field("Name", ua.VariantType.String),
                new_struct_field("Seconds", ua.VariantType.Double),
            ],
        )
        recipe, _ = await new_struct(
            server,
            index,
            "Recipe",
            [
                new_struct_field("Title", ua.VariantType.String),
                new_struct_field("Mode", mode),
                new_struct_field("First", step),
                new_struct_field("Steps", step, array=True),
                new_struct_field("Limits", ua.VariantType.Float, array=True),
                new_struct_field("Note", ua.VariantType.String, optional=True),
                new_struct_field("Count", ua.VariantType.UInt32, optional=True),
            ],
        )
        choice, _ = await new_struct(
            server,
            index,
            "Choice",
            [
                new_struct_field("Number", ua.VariantType.Int32),
                new_struct_field("Words", ua.VariantType.String),
            ],
            is_union=True,
        )
        await server.load_data_type_definitions()
        a_step = ua.Step(Name="heat", Seconds=1.5)
        a_recipe = ua.Recipe(
            Title="Beer",
            Mode=ua.Mode.Auto,
            First=a_step,
            Steps=[a_step, ua.Step(Name="cool", Seconds=60.0)],
            Limits=[0.5, 1.5],
        )
        a_recipe.Count = 3
        a_choice = ua.Choice()
        a_choice.Words = "sixty"
        await self.add("Recipe", a_recipe, recipe)
        await self.add("Recipes", [a_recipe, a_recipe], recipe)
        await self.add("Choice", a_choice, choice)
        anything = server.get_node(ua.ObjectIds.Structure)
        await self.add("Anything", a_step, anything)
        await self.add("Mode", ua.Variant(1, ua.VariantType.Int32), mode)
        await self.add("Grades", ua.Variant([10, 20], ua.VariantType.Int32), grade)

        # What only an old type dictionary describes: bytes.
        old = await server.nodes.base_structure_type.add_data_type(index, "Old")
        raw = ua.ExtensionObject(TypeId=ua.NodeId(7001, index), Body=b"\x07\x00\x00\x00")
        await self.add("Old", ua.Variant(raw, ua.VariantType.ExtensionObject), old)

        level = await self.add("Level", 50.0)
        RANGES["Level"] = (0.0, 200.0)
        await level.add_property(0, "EURange", ua.Range(0.0, 200.0))
        unit = ua.EUInformation("urn:units", 4408652, ua.LocalizedText("°C"))
        await level.add_property(0, "EngineeringUnits", unit)
        await level.write_attribute(
            ua.AttributeIds.Description,
            ua.DataValue(ua.Variant(ua.LocalizedText("How full it is"))),
        )
        state = await self.add("State", ua.Variant(0, ua.VariantType.UInt32))
        texts = [ua.LocalizedText(text) for text in ("Off", "On")]
        await state.add_property(0, "EnumStrings", texts)
        await self.add("Count", ua.Variant(0, ua.VariantType.Int64))
        await self.add("Small", ua.Variant(0, ua.VariantType.Byte))
        await self.add("Text", "quiet")
        await self.add("Row", ua.Variant([0, 10, 20, 30, 40], ua.VariantType.Int32))
        await self.add("Denied", 1.0)
        seen = await self.add("SeenOnly", 1.0)
        await seen.unset_attr_bit(ua.AttributeIds.UserAccessLevel, ua.AccessLevel.CurrentWrite)

        await self.add("numeric", 1, node=ua.NodeId(4294967295, index))
        await self.add("string", 2, node=ua.NodeId("a;b = c;s=d %41", index))
        await self.add("guid", 3, node=ua.NodeId(GUID, index))
        await self.add("opaque", 4, node=ua.NodeId(b"\x00\xff;", index))

    async def obey(self, order: Dict[str, Any]) -> None:
        for name, values in order.items():
            if name == "add":
                await self.add(values, 7.0)
                continue
            node = self.nodes[name]
            old = await node.read_data_value(raise_on_bad_status=False)
            for value in values:
                await node.write_value(ua.Variant(value, old.Value.VariantType))


async def main(port: int, plain: bool) -> None:
    server = Server()
    if not plain:
        internal_subscription.MonitoredItemService = StrictItems
        internal_subscription.InternalSubscription._enqueue_event = enqueue_flagged
    await server.init()
    if not plain:
        server.iserver.attribute_service = RangedAttributes(server.iserver.aspace)
    server.set_endpoint("opc.tcp://127.0.0.1:%d" % port)
    plant = Plant(server)
    await plant.build()
    async with server:
        print("ready", flush=True)
        loop = asyncio.get_running_loop()
        while True:
            line = await loop.run_in_executor(None, sys.stdin.readline)
            if not line:
                return
            await plant.obey(json.loads(line))
            print("done", flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[-1]), "plain" in sys.argv[1:-1]))

"""An asyncua server with a large and awkward address space, as a process.

    python -m tests.servers.large_asyncua [NODES [POINTS]] PORT

Below Objects: ``Area``, with *NODES* variables in folders of 1000 (``Area/Cell7/Tag12``), and
``Odd``, with what no server should have and some do.  What asyncua lacks is added: BrowseNext, so
that a folder of more references than are asked for has continuation points, of which a session has
*POINTS* at most, and MaxNodesPerBrowse, which is 50.

It prints ``ready`` and then takes one JSON object a line, answered ``done``: ``{"add": NAME}`` and
``{"remove": NAME}`` change what is in ``Odd``.  It ends with its input.
"""

import asyncio
import json
import logging
import sys
from typing import Any, Dict, List

from asyncua import Server, ua
from asyncua.server import uaprocessor
from asyncua.server.address_space import AttributeValue, NodeData
from asyncua.server.internal_session import InternalSession
from asyncua.ua.ua_binary import struct_from_binary

URI = "urn:test:large; 100%"
MOST = 50
AWKWARD = 'Ä.b: # "q" {x} 世界 \u2028\x07'
#: What asyncua calls that field of a reference; another name in 1.1.5, the last for Python 3.8.
(NODE_CLASS,) = (
    name for name in ua.ReferenceDescription.__dataclass_fields__ if name.startswith("NodeClass")
)
#: By the bits of ResultMask (OPC 10000-4 5.9.2.2).
MASKED = (
    *("ReferenceTypeId", "IsForward", NODE_CLASS, "BrowseName", "DisplayName"),
    "TypeDefinition",
)
FOLDER, VARIABLE_TYPE = ua.NodeId(61), ua.NodeId(63)
ORGANIZES, COMPONENT, PROPERTY = ua.NodeId(35), ua.NodeId(47), ua.NodeId(46)


class Views:
    """Browse with continuation points (OPC 10000-4 5.9.2, 5.9.3)."""

    points: Dict[bytes, List[Any]] = {}
    most_points = 5
    number = 0

    @classmethod
    def cut(cls, result: Any, most: int) -> Any:
        if not most or len(result.References) <= most:
            return result
        if len(cls.points) >= cls.most_points:
            status = ua.StatusCode(ua.StatusCodes.BadNoContinuationPoints)
            return ua.BrowseResult(StatusCode=status)
        cls.number += 1
        point = b"point %d of %d" % (cls.number, most)
        cls.points[point] = result.References[most:]
        result.References = result.References[:most]
        result.ContinuationPoint = point
        return result

    @classmethod
    def next(cls, point: bytes, release: bool) -> Any:
        left = cls.points.pop(point, None)
        if left is None:
            status = ua.StatusCode(ua.StatusCodes.BadContinuationPointInvalid)
            return ua.BrowseResult(StatusCode=status)
        result = ua.BrowseResult()
        if release:
            return result
        result.References = left
        return cls.cut(result, int(point.rpartition(b" ")[2]))


browse = InternalSession.browse


async def browse_in_pages(session: Any, params: Any) -> Any:
    if len(params.NodesToBrowse) > MOST:
        raise ua.UaStatusCodeError(ua.StatusCodes.BadTooManyOperations)
    results = await browse(session, params)
    for description, result in zip(params.NodesToBrowse, results):
        result.References = [masked(each, description.ResultMask) for each in result.References]
    return [Views.cut(result, params.RequestedMaxReferencesPerNode) for result in results]


def masked(reference: Any, mask: int) -> Any:
    """*reference* with what *mask* asks for and no more (OPC 10000-4 7.30)."""
    nothing = ua.ReferenceDescription(NodeId=reference.NodeId, IsForward=False)
    for bit, member in enumerate(MASKED):
        if mask & 1 << bit:
            setattr(nothing, member, getattr(reference, member))
    return nothing


process = uaprocessor.UaProcessor._process_message


async def process_browse_next(
    self: Any, typeid: Any, requesthdr: Any, seqhdr: Any, body: Any
) -> Any:
    if typeid != ua.NodeId(ua.ObjectIds.BrowseNextRequest_Encoding_DefaultBinary):
        return await process(self, typeid, requesthdr, seqhdr, body)
    params = struct_from_binary(ua.BrowseNextParameters, body)
    response = ua.BrowseNextResponse()
    response.Parameters.Results = [
        Views.next(point, params.ReleaseContinuationPoints) for point in params.ContinuationPoints
    ]
    self.send_response(requesthdr.RequestHandle, seqhdr, response)
    return True


_shared: Dict[Any, Any] = {}


def attribute(content: Any, kind: Any, shared: bool = True) -> Any:
    """An attribute's value; nodes share what is the same, which saves most of the time."""
    found = _shared.get((content, kind)) if shared else None
    if found is None:
        made = {ua.VariantType.LocalizedText: ua.LocalizedText, ua.VariantType.NodeId: ua.NodeId}
        value = made[kind](content) if kind in made else content
        found = AttributeValue(ua.DataValue(ua.Variant(value, kind)))
        if shared:
            _shared[content, kind] = found
    return found


class Space:
    """Nodes put straight into the address space: 30,000 of them in a second."""

    def __init__(self, server: Any, index: int) -> None:
        self.space = server.iserver.aspace
        self.index = index

    def node(self, name: str, identifier: Any = None) -> Any:
        return ua.NodeId(name if identifier is None else identifier, self.index)

    def add(
        self,
        parent: Any,
        name: str,
        identifier: Any = None,
        value: Any = None,
        reference: Any = COMPONENT,
        description: str = "",
    ) -> Any:
        node_id = self.node(name, identifier)
        node_class = ua.NodeClass.Object if value is None else ua.NodeClass.Variable
        data = NodeData(node_id)
        put = data.attributes
        ids = ua.AttributeIds
        put[ids.NodeClass] = attribute(node_class, ua.VariantType.Int32)
        name_type = ua.VariantType.QualifiedName
        put[ids.BrowseName] = attribute(ua.QualifiedName(name, self.index), name_type, False)
        put[ids.Description] = attribute(description, ua.VariantType.LocalizedText)
        if value is not None:
            put[ids.Value] = attribute(value, ua.VariantType.Double)
            put[ids.DataType] = attribute(11, ua.VariantType.NodeId)
            put[ids.ValueRank] = attribute(-1, ua.VariantType.Int32)
            put[ids.AccessLevel] = put[ids.UserAccessLevel] = attribute(1, ua.VariantType.Byte)
        self.space[node_id] = data
        self.refer(parent, node_id, name, node_class, reference)
        return node_id

    def refer(self, parent: Any, node_id: Any, name: str, node_class: Any, reference: Any) -> None:
        self.space[parent].references.append(
            ua.ReferenceDescription(
                ReferenceTypeId=reference,
                IsForward=True,
                NodeId=node_id,
                BrowseName=ua.QualifiedName(name, self.index),
                DisplayName=ua.LocalizedText(name),
                TypeDefinition=VARIABLE_TYPE if node_class == ua.NodeClass.Variable else FOLDER,
                **{NODE_CLASS: node_class},
            )
        )

    def remove(self, parent: Any, node_id: Any) -> None:
        references = self.space[parent].references
        references[:] = [each for each in references if each.NodeId != node_id]
        del self.space[node_id]


def fill(space: Space, nodes: int) -> Any:
    objects = ua.NodeId(85)
    area = space.add(objects, "Area")
    for first in range(0, nodes, 1000):
        cell = space.add(area, "Cell%d" % (first // 1000), "c%d" % first, reference=ORGANIZES)
        for number in range(min(1000, nodes - first)):
            space.add(cell, "Tag%d" % number, first + number + 1, 1.0)
    # Wider than one answer.
    wide = space.add(area, "Wide")
    for number in range(2500):
        space.add(wide, "W%d" % number, 1000000 + number, 1.0)
    for number in range(8):  # more of these than there are continuation points
        wide = space.add(area, "Wider%d" % number)
        for each in range(1001):
            space.add(wide, "W%d" % each, 2000000 + number * 10000 + each, 1.0)
    odd = space.add(objects, "Odd")
    loop = space.add(odd, "Loop")
    space.refer(loop, odd, "Odd", ua.NodeClass.Object, ORGANIZES)
    space.refer(loop, loop, "Loop", ua.NodeClass.Object, ORGANIZES)
    space.add(loop, "Deep", value=1.0)
    for number in (1, 2):
        space.add(odd, "Twin", 3000000 + number, 1.0)
    space.add(odd, AWKWARD, "odd", 1.0, description="two\nlines: # {no} \x00\u2028comment")
    space.add(odd, "true", 3000010, 1.0)
    space.add(odd, "- 1", 3000011, 1.0)
    space.add(odd, "L" * 400, 3000012, 1.0)
    space.add(odd, "", 3000013, 1.0)
    boiler = space.add(odd, '"DB".x', "DB", 1.0)
    space.add(boiler, "Member", "DB.Member", 1.0)
    space.add(boiler, "Unit", "DB.Unit", 1.0, PROPERTY)
    # A reference to a node that is not there, and one to another server.
    space.refer(odd, space.node("ghost"), "Ghost", ua.NodeClass.Object, COMPONENT)
    return odd


async def main() -> None:
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)
    nodes = int(sys.argv[1]) if len(sys.argv) > 2 else 0
    Views.most_points = int(sys.argv[2]) if len(sys.argv) > 3 else 5
    InternalSession.browse = browse_in_pages
    uaprocessor.UaProcessor._process_message = process_browse_next
    server = Server()
    await server.init()
    server.set_endpoint("opc.tcp://127.0.0.1:%s" % sys.argv[-1])
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    space = Space(server, await server.register_namespace(URI))
    limit = ua.NodeId(11710)
    if limit in space.space:
        value = ua.DataValue(ua.Variant(MOST, ua.VariantType.UInt32))
        space.space[limit].attributes[ua.AttributeIds.Value].value = value
    odd = fill(space, nodes)
    loop = asyncio.get_running_loop()
    async with server:
        print("ready", flush=True)
        while True:
            line = await loop.run_in_executor(None, sys.stdin.readline)
            if not line:
                return
            order = json.loads(line)
            if "add" in order:
                space.add(odd, order["add"], value=1.0)
            if "remove" in order:
                space.remove(odd, space.node(order["remove"]))
            print("done", flush=True)


if __name__ == "__main__":
    asyncio.run(main())

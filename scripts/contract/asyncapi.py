"""The contract as an AsyncAPI document: where clients connect, how they authenticate, which
messages belong together (https://www.asyncapi.com/docs/reference/specification/v3.0.0).

The document describes opcws, so it receives what clients send.  The contents of a message are in
the file of its schema, beside the document.
"""

from typing import Any, Dict, List, Sequence

from . import answers, requests
from .typed import camel

Part = Dict[str, Any]

_CHANNEL = "#/channels/messages"

_SECURITY: Dict[str, Part] = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token that 'opcws token create' or POST /login made.",
    },
    "password": {
        "type": "http",
        "scheme": "basic",
        "description": "A user that 'opcws user add' made.",
    },
    "tokenInUrl": {
        "type": "httpApiKey",
        "name": "access_token",
        "in": "query",
        "description": "The token, for clients that cannot set headers.",
    },
    "tokenInSubprotocol": {
        "type": "httpApiKey",
        "name": "Sec-WebSocket-Protocol",
        "in": "header",
        "description": "The token after 'opcws.token.', beside 'json', for scripts in web pages.",
    },
    "certificate": {
        "type": "X509",
        "description": "A client certificate that a role of the configuration names.",
    },
}


def _refs(where: str, names: Sequence[str]) -> List[Part]:
    return [{"$ref": "%s/%s" % (where, name)} for name in names]


def _server(protocol: str, description: str, security: Sequence[str]) -> Part:
    return {
        "host": "{host}:{port}",
        "protocol": protocol,
        "description": description,
        "variables": {
            "host": {"default": "127.0.0.1", "description": "Name or address of the machine."},
            "port": {"default": "8081", "description": "listen.port of the configuration."},
        },
        "security": _refs("#/components/securitySchemes", security),
    }


def _message(name: str, title: str, summary: str) -> Part:
    made: Part = {"name": name, "title": title, "summary": summary}
    if name != "SERVERSTATUS_MESSAGE":
        made["correlationId"] = {"$ref": "#/components/correlationIds/ClientHandle"}
    schema = {"$ref": "./%s.json" % name}
    made["payload"] = {"schemaFormat": "application/schema+json;version=draft-07", "schema": schema}
    return made


def _operation(action: str, name: str, summary: str, *reply: str) -> Part:
    made = {
        "action": action,
        "channel": {"$ref": _CHANNEL},
        "summary": summary,
        "messages": _refs(_CHANNEL + "/messages", [name]),
    }
    if reply:
        made["reply"] = {
            "channel": {"$ref": _CHANNEL},
            "messages": _refs(_CHANNEL + "/messages", reply),
        }
    return made


def _id(message: str) -> str:
    """``MONITORSTART_REQUEST`` as ``monitorStart``."""
    name = camel(message)
    for kind in ("Request", "Message"):
        name = name[: -len(kind)] if name.endswith(kind) else name
    return name[0].lower() + name[1:]


def document(head: Part, version: str) -> Part:
    messages = {
        name: _message(name, each.title, each.description)
        for name, each in (*requests.REQUESTS.items(), *answers.ANSWERS.items())
    }
    operations = {
        _id(name): _operation(
            "receive", name, each.description, name.replace("REQUEST", "RESPONSE"), "ERROR"
        )
        for name, each in requests.REQUESTS.items()
    }
    for name, answer in answers.ANSWERS.items():
        if not name.endswith("_RESPONSE"):
            operations[_id(name)] = _operation("send", name, answer.description)
    everywhere = [name for name in _SECURITY if name != "certificate"]
    return {
        "asyncapi": "3.0.0",
        "id": head["$id"],
        "info": {
            "title": "opcws",
            "version": version,
            "description": "Named variables of OPC UA servers over WebSocket, as JSON. The "
            "document describes opcws: it receives what clients send. Every "
            "request gets one response with the same ClientHandle. Responses may "
            "come in another order than the requests.",
        },
        "defaultContentType": "application/json",
        "servers": {
            "plain": _server("ws", "Without TLS.", everywhere),
            "secure": _server("wss", "With TLS, if listen.tls is configured.", [*_SECURITY]),
        },
        "channels": {
            "messages": {
                "address": "/ws",
                "title": "One WebSocket",
                "description": "One JSON object in one text message, in both directions. The "
                "address may also be /. Without roles in the configuration "
                "clients need no credential. The answer to the opening handshake "
                "has the version of the contract in the header Opcws-Contract.",
                "messages": {name: {"$ref": "#/components/messages/" + name} for name in messages},
                "bindings": {
                    "ws": {
                        "method": "GET",
                        "query": {
                            "type": "object",
                            "properties": {
                                "status": {
                                    "type": "string",
                                    "enum": ["0", "1"],
                                    "description": "1: opcws sends the state of all OPC UA "
                                    "servers at once (SERVERSTATUS_MESSAGE).",
                                },
                                "scalars": {
                                    "type": "string",
                                    "enum": ["typed", "string"],
                                    "description": "Dialect of the messages that opcws sends.",
                                },
                            },
                        },
                        "headers": {
                            "type": "object",
                            "properties": {
                                "Sec-WebSocket-Protocol": {
                                    "type": "string",
                                    "description": "json, or none.",
                                }
                            },
                        },
                        "bindingVersion": "0.1.0",
                    }
                },
            }
        },
        "operations": operations,
        "components": {
            "messages": messages,
            "correlationIds": {
                "ClientHandle": {
                    "description": "Chosen by the client. The response has the same, and so does "
                    "each update of the monitors started with it. Clients of "
                    "other gateways spell it ClientHandler.",
                    "location": "$message.payload#/Header/ClientHandle",
                }
            },
            "securitySchemes": _SECURITY,
        },
    }

"""The contract with clients: what a message looks like, and how a value becomes JSON and back.

    schema_files        the files of ``schemas/``, for those who serve or copy them
    contract            the schemas in them, and whether a message follows them
    schema_errors       why it does not, as a sentence for the sender
    messages            the envelope: text to Request, parts to the text of a response
    values_to_json      DataValue and Variant to JSON
    values_from_json    the value that a client writes, to a DataValue
    timestamps, floats  the text of both, for either way
    index_range         one element or some of an array
    notifications       the fast way of a monitored value from OPC UA bytes to JSON
    frames              text to a WebSocket frame (RFC 6455)

A *dialect* is how scalars are written: ``typed`` as in JSON, ``string`` all of them as JSON
strings, as clients of older gateways expect.  The members of an *envelope* are Header and Body; a
*handle* is the ClientHandle that a client chose and gets back.  A *row* is one notification as
``struct`` unpacks it, and a *layout* describes the rows of one kind, so that most values need no
object of their own.  A *shape* is the part of a Body that decides whether it follows its schema:
names and kinds, no values.  A *frame* is a message ready for the socket, with the same bytes for
everyone who gets it.

Pure: no socket, no thread, no clock.  Any thread may call anything; the few caches are read and
replaced in one step each.  It may import :mod:`opcws.model` only.  It does not know which variables
exist or who may do what; the gateway does.
"""

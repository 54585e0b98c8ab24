"""OPC UA PubSub over MQTT (OPC 10000-14): publishes values to a broker for any subscriber, and
serves values that other publishers send there.

    publisher          the interface to the rest of opcws: start, change, take values, status, stop;
                       makes messages of values
    backlog            messages on their way to the broker, in order
    sender             the thread that holds the connection to the broker
    plant              a publisher as a plant: connected, watched, asked
    publication        the fields of a publisher and their last values                       pure
    asking             requests of our clients to a publisher
    requests           requests of edges' clients, handled here
    request_messages   such requests and their answers                                       pure
    connection         one connection to an MQTT broker; the only module that imports paho
    data_sets          the published fields of one OPC UA server, and their last values
    network_messages   makes and reads JSON NetworkMessages                                  pure
    field_values       the values in them, in each encoding                                  pure
    topics             the topics of all messages                                            pure

A *publisher* has a PublisherId and one WriterGroup.  A *data set* holds everything that is
published of one OPC UA server; each variable is a *field* of it.  A *key frame* has all fields, a
*delta frame* the changed ones.  A message is *late* if it could not be sent when it was made.

Threads: ``opcws-publish`` makes messages, ``opcws-publish-mqtt`` talks to the broker; the threads
that provide values only queue them.  ``opcws-mqtt-NAME`` receives from the publisher of the server
NAME; ``opcws-requests`` handles requests of edges.

It may import the gateway (plants and clients), ``access`` (identities), ``operations`` (the limit
on log lines), the configuration, ``wire`` and ``model``; it is imported only if something is
published or served from a broker.
"""

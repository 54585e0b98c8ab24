"""OPC UA PubSub over MQTT (OPC 10000-14): values go to a broker, for whoever subscribes there; and
what others publish is served.

    publisher          what the house sees of it: started, changed, fed, asked and stopped; makes
                       messages of values
    backlog            messages on their way to the broker, in order
    sender             the thread that holds the connection to the broker
    plant              a publisher as a plant: connected, watched, asked
    publication        what it has told: its fields and their last values                     pure
    asking             what clients here ask a publisher for
    requests           what clients of edges ask for, done here
    request_messages   such requests and their answers                                       pure
    connection         one connection to an MQTT broker, and the only place that knows paho
    data_sets          what is published of one OPC UA server: its fields, and their last values
    network_messages   JSON NetworkMessages, made and read                                    pure
    field_values       values in them, in each encoding                                       pure
    topics             where they go                                                          pure

A *publisher* has a PublisherId and one WriterGroup.  A *data set* is all that is published of one
OPC UA server; a variable is a *field* of it.  A *key frame* has all fields, a *delta frame* those
that changed.  A message is *late* if it could not go when it was made.

Threads: ``opcws-publish`` makes messages, ``opcws-publish-mqtt`` talks with the broker; whoever
hands over values only queues.  ``opcws-mqtt-NAME`` takes what the publisher of the server NAME
sends; ``opcws-requests`` does what edges ask for.

It may import the gateway, for plants, what they tell and clients, ``access`` for who these are,
``operations`` for its bound on log lines, the configuration, ``wire`` and ``model``; nobody imports
it where nothing is published or served from a broker.
"""

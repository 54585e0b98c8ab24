"""What can be made of raw history, whoever kept it.  Pure: lists of values in, lists out.

    aggregates    Average, Minimum, Count ... of intervals (OPC 10000-13)
    joining       what the OPC UA server has and what was recorded, as one
    thinning      as many values as a chart has room for

Words are those of OPC 10000-11 and 10000-13: a *raw value* is one that was stored; a *bound* is
the value at the start or at the end of an interval, which may have to be estimated.  Times are
ticks of 100 ns since 1601, values the DataValues of ``model.data_types``.

It imports model; the gateway calls it with what a plant or the recorder has read.
"""

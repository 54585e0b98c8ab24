"""Computes with raw history of any source.  Pure: from lists of values to lists.

    aggregates    Average, Minimum, Count ... of intervals (OPC 10000-13)
    joining       what the OPC UA server has and what was recorded, as one
    thinning      as many values as a chart has room for

Words are those of OPC 10000-11 and 10000-13: a *raw value* is a stored value; a *bound* is the
value at the start or the end of an interval, which may be an estimate.  Times are ticks of 100 ns
since 1601, values the DataValues of ``model.data_types``.

It imports model; the gateway calls it with values from a plant or the recorder.
"""

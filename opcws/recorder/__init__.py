"""The recorder: keeps past values of variables in a file, and reads them back.

    recorder        what the house sees of it: started, changed, fed, asked and stopped
    writer          the thread that records, tidies up, and tells when the file fails
    reader          the thread that reads, a block at a time, fair to all who ask
    series          what is recorded of one variable: intervals, deadbands, gaps
    history_file    the SQLite file, and the only place that speaks SQL
    columns         entries as columns, in memory and as bytes
    stored_values   values that are no number, as text

An *entry* is a DataValue of one variable; entries are kept in the order of their arrival, and found
by their time.  A *series* has all entries of one variable of one node, each with a *number*.  A
*gap* is an entry without a value: from its time on the value is unknown.  The *tail* of a series
has the entries that are not in a *block* yet; it is in memory, and in the *journal* of the file.

Threads: ``opcws-record`` writes, ``opcws-record-read`` reads; other threads only queue values and
requests.

It may import the gateway, for the types of history, the configuration, ``wire`` and ``model``.  It
is imported only if something is recorded, because not every Python has SQLite.
"""

"""The recorder: what variables were, kept in a file, and read back.

    recorder        what the house sees of it: started, changed, fed, asked and stopped
    writer          the thread that records, tidies up, and tells when the file fails
    reader          the thread that reads, a block at a time, fair to all who ask
    series          what is recorded of one variable: intervals, deadbands, gaps
    history_file    the SQLite file, and the only place that speaks SQL
    columns         entries as columns, in memory and as bytes
    stored_values   values that are no number, as text

An *entry* is a DataValue of one variable; entries are kept in the order of their arrival, and found
by their time.  A *series* is all of one variable of one node, each entry with a *number*.  A *gap*
is an entry without a value: from then on nobody knows.  The *tail* of a series is what is not in a
*block* yet; it is in memory, and in the *journal* of the file.

Threads: ``opcws-record`` writes, ``opcws-record-read`` reads; whoever hands over or asks only
queues.

It may import the gateway, for what history looks like, the configuration, ``wire`` and ``model``;
nobody imports it where nothing is recorded, for not every Python has SQLite.
"""

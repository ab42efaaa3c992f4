"""Durable state: transactions, grants, events and local history in SQLite.

`database.py` is the store, on `writer.py` and `commit.py` (group commit), `ledger.py` (transactions and grants) and
`projections.py` (events); `recovery.py` says what a restart must know, `journal_reader.py` reads a journal back,
`codec.py` writes events as bytes, `schema.py` holds the tables, `retention.py` what leaves them, `history.py` the
panel's past.
"""

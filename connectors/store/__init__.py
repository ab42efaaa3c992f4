"""Durable state: transactions, grants, events and local history in SQLite.

`database.py` is the store, on `writer.py` and `commit.py` (group commit), `ledger.py` (transactions and grants) and
`projections.py` (events); `recovery.py` says what a restart must know, `journal_reader.py` reads a journal back,
`codec.py` writes events as bytes, `schema.py` holds the tables, `lock.py` keeps a second gateway out, `retention.py`
says what leaves, `history.py` keeps the panel's past.
"""

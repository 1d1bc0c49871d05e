"""Durable state: the state file, its schema, and the statements of each table.

Table modules are functions of a transaction (``Tx``); units of work that use them are handed to
:meth:`syncd.store.database.Database.write` and :meth:`~syncd.store.database.Database.read`.
"""

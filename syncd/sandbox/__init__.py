"""Faithful simulators of the vendors on loopback, for the demo and the tests. Nothing else imports this package.

The kit: :mod:`~syncd.sandbox.http` (requests, replies, protocol), :mod:`~syncd.sandbox.ledger` (applied effects),
:mod:`~syncd.sandbox.faults` (disturbances), :mod:`~syncd.sandbox.vendor` (what a simulator writes),
:mod:`~syncd.sandbox.server` (ports, start, stop), :mod:`~syncd.sandbox.admin` (the judge's and the driver's door) and
:mod:`~syncd.sandbox.command` (``syncd sandbox``).
"""

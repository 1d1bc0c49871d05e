"""One suite for every system and every object that it maps.

A :class:`~tests.conformance.bench.Bench` is one vendor: its simulator, our system speaking to it through its real client,
and the people who work in the vendor's own screens. A :class:`~tests.conformance.subject.Subject` is one object with
sample values. The cases (:mod:`tests.conformance.cases`) ask the system what it can do with the object
(:meth:`~syncd.systems.contract.System.abilities`) and run everything that it declares; ``docs/systems.md`` holds the
resulting table, written by ``make docs``.
"""

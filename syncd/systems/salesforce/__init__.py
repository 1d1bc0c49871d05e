"""Salesforce: one connection to one org.

::

    system.py        the connection as the engine sees it
      capture.py     polls by (SystemModstamp, Id) and the feed of deletions; scan.py reads everything
      stream.py      change events over the Pub/Sub API: pubsub.py the wire, pubsub.proto its messages, avro.py
                     the payloads, bitmap.py which fields changed, events.py from an event to changes (pure)
      read.py        by id and by our key; survivors of merges; columns.py which fields can be asked for now
      write.py       one verdict each; collections.py two hundred a call, composite.py a parent with its children in one
                     call, ingest.py any number through Bulk API 2.0; prices.py what orders need, unkeyed.py what cannot
                     carry our key, lifecycle.py conversions, merges and restorations (soap.py its calls)
      abilities.py   what can be done with each object (pure)
      check.py       the doctor
    rest.py          the vendor-neutral client library in worker threads; session.py its session (token, echo marker)
    web.py           our own HTTP: sign-in, Bulk API 2.0, SOAP; auth.py the token
    describe.py      what the org says of its objects; values.py values as the org writes them (pure)
    errors.py        every error to a failure (pure), by the tables of codes.py

Nothing is imported here, so that the clients are loaded on first use only.
"""

"""How changes arrive over HTTP: shop events and vendors' webhooks, judged, staged, committed, then acknowledged.

::

    http.py          bytes to requests and back: limits, deadlines, order (asyncio protocol over httptools)
    app.py           one request: route, judge, stage, answer
    events.py        POST /v1/events: source, authenticity, CloudEvents, translation to changes
    cloudevents.py   the three content modes of CloudEvents 1.0
    signature.py     Standard Webhooks
    staging.py       one durable commit for all requests that wait together
    server.py        the service that listens
"""

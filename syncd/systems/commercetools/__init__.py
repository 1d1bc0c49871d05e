"""commercetools over its HTTP API.

::

    system.py      the connection as the engine sees it
      capture.py   polls by (lastModifiedAt, id), scans by id
      endings.py   what was deleted, by the project's messages
      read.py      by id and by our key
      rows.py      pages by GraphQL or by the HTTP API; reading.py which of them; selections.py what is asked for (pure)
      write.py     creates, updates and deletes, one verdict each
        actions.py forms drafts and update actions (pure) by tables.py: path -> way (ways.py, lists.py, units.py)
      imports.py   very many new records at once; import_form.py whether, and in which form (pure)
      check.py     the doctor; provision.py makes custom types; fields.py knows field definitions (pure)
    client.py      signed-in requests; auth.py the token; query.py pages and predicates
    errors.py      every error to a failure (pure; codes.py the table)
    resources.py   what mappings may name (pure); values.py what their JSON holds (pure)
    events.py      what the shop tells by events (pure; needs no HTTP client)

Nothing is imported here, so that the HTTP client is loaded on first use only.
"""

"""The nouns of syncd and the pure functions over them: no I/O, no clock, no randomness.

Instants are integers, milliseconds since the epoch, UTC, and end in ``_at``.
A field is three-valued: absent (no key), null (``None``) or a value; see :mod:`syncd.model.value`.
"""

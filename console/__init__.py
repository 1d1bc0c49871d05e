"""The operator's console of syncd: the `syncctl` command, as a terminal application and as plain verbs.

It speaks to the daemon through the control socket only, and knows of syncd nothing but the typed messages.
"""

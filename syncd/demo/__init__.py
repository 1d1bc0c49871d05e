"""The demonstration: a shop trades, sales people work in the CRM, syncd keeps them in step, and a judge who never
looks into syncd's books compares what the shop did with what the simulated vendors hold.

Three processes: the sandbox, the daemon (which may be killed), and this one, which drives and judges.
"""

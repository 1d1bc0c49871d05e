"""One invented world of people, companies and products that all simulated vendors know, each in its own way.

:mod:`~syncd.sandbox.world.world` is the door: who and what there is, and the truth about who is who.
:mod:`~syncd.sandbox.world.roster` says which of them a system knows, :mod:`~syncd.sandbox.world.sightings` what it
holds of them, with the usual disagreements. All of it follows from (seed, number):
nothing is made before it is asked for.
"""

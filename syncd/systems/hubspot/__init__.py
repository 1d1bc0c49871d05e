"""HubSpot: one connection to one account ("portal"). Build it with :class:`~syncd.systems.hubspot.system.HubSpot`."""

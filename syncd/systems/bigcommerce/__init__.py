"""BigCommerce, with B2B Edition, behind the contract of :mod:`syncd.systems.contract`."""

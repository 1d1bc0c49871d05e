"""syncd keeps CRMs and headless commerce engines in step, both ways."""

__version__ = "0.1.0"

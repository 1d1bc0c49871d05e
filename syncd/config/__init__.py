"""TOML to validated, frozen models. Every problem of a file is reported at once.

>>> from syncd.config import load, ConfigurationError
"""

from syncd.config.load import Loaded, load, load_with_source, loads
from syncd.config.models import Configuration, ConnectionSettings
from syncd.config.problems import ConfigurationError, Problem

__all__ = [
    "Configuration",
    "ConfigurationError",
    "ConnectionSettings",
    "Loaded",
    "Problem",
    "load",
    "load_with_source",
    "loads",
]

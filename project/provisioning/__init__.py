"""Makes agencies, accounts, counters, mappings, people and API keys as a TOML file says."""

from project.provisioning.apply import Difference, apply
from project.provisioning.document import ProvisionError, load

__all__ = ["Difference", "ProvisionError", "apply", "load"]

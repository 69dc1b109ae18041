"""In-guest remediation of Windows and Linux fleets over WinRM and SSH.

The public names are imported when first used, so that a command which contacts nobody starts at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from fleet.api import load_catalog as load_catalog
    from fleet.api import load_inventory as load_inventory
    from fleet.api import plan as plan
    from fleet.api import run as run
    from fleet.errors import FleetError as FleetError
    from fleet.model import Host as Host
    from fleet.model import Outcome as Outcome
    from fleet.model import Result as Result
    from fleet.model import Risk as Risk

_HOMES = {
    "load_catalog": "fleet.api",
    "load_inventory": "fleet.api",
    "plan": "fleet.api",
    "run": "fleet.api",
    "FleetError": "fleet.errors",
    "Host": "fleet.model",
    "Outcome": "fleet.model",
    "Result": "fleet.model",
    "Risk": "fleet.model",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'fleet' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]

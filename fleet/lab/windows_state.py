"""What a simulated Windows guest is: services, VSS writers, registry, processes, and a ledger of changes."""

from __future__ import annotations

from dataclasses import dataclass, field

_SC_WORDS = {
    "Automatic": "auto",
    "DelayedAutomatic": "delayed-auto",
    "Manual": "demand",
    "Disabled": "disabled",
}


@dataclass(slots=True)
class Service:
    """A service as the service control manager shows it."""

    status: str = "Running"
    start_type: str = "Automatic"
    account: str = "LocalSystem"
    depends_on: tuple[str, ...] = ()
    fails_to_start: bool = False
    """Whether a start ends in Stopped again."""


@dataclass(slots=True)
class Writer:
    """A VSS writer and the service it lives in; a start of that service makes it stable again."""

    name: str
    id: str
    service: str
    state: int = 1
    last_error: str = "No error"
    impact: str = "low"
    """What a restart of its service hits: low, medium, high."""


RegistryKey = dict[str, tuple[str, int | str]]
"""Values of a key by name: type (DWord, String) and value."""


@dataclass(slots=True)
class WindowsState:
    """A guest's insides; every change goes through its methods and into the ledger."""

    product: str = "Windows Server 2019 Datacenter"
    version: str = "10.0.17763.0"
    services: dict[str, Service] = field(default_factory=dict)
    writers: list[Writer] = field(default_factory=list)
    registry: dict[str, RegistryKey] = field(default_factory=dict)
    """By view and path, as ``64:HKLM\\SOFTWARE\\...``."""
    processes: dict[int, str] = field(default_factory=dict)
    """Name by number, without .exe."""
    texts: dict[str, str] = field(default_factory=dict)
    """What stands in files, by path."""
    events: list[str] = field(default_factory=list)
    """XML of the events in its logs, as wevtutil prints it."""
    stages: dict[str, bytes] = field(default_factory=dict)
    """What was staged to be fetched, by stage."""
    ledger: list[str] = field(default_factory=list)
    """What was done, one line each, in order."""

    def status(self, service: str) -> str:
        """Status of a service, or Absent."""
        return self.services[service].status if service in self.services else "Absent"

    def running_dependents(self, service: str) -> list[str]:
        """All that depends on it, directly or not, and runs, in the order in which it has to be stopped."""
        found: list[str] = []
        for name, other in self.services.items():
            if service in other.depends_on and other.status != "Stopped":
                found += [each for each in [*self.running_dependents(name), name] if each not in found]
        return found

    def stop(self, service: str) -> None:
        """Stop a service."""
        self.services[service].status = "Stopped"
        self.ledger.append(f"stop {service}")

    def start(self, service: str) -> bool:
        """Start a service and cure its writers; whether it runs now."""
        self.ledger.append(f"start {service}")
        if self.services[service].fails_to_start:
            return False
        self.services[service].status = "Running"
        for writer in self.writers:
            if writer.service == service:
                writer.state, writer.last_error = 1, "No error"
        return True

    def set_start_type(self, service: str, start_type: str) -> None:
        """Change how a service is started."""
        self.services[service].start_type = start_type
        self.ledger.append(f"sc config {service} start= {_SC_WORDS[start_type]}")

    def restart(self, service: str) -> list[str]:
        """Restart a service with what depends on it; names of the dependents, in the order of their start."""
        dependents = self.running_dependents(service)
        for name in [*dependents, service]:
            self.stop(name)
        for name in [service, *reversed(dependents)]:
            self.start(name)
        return dependents[::-1]

    def value(self, key: str, name: str, view: int = 64) -> tuple[str, int | str] | None:
        """Type and value of a registry value, or None."""
        return self.registry.get(f"{view}:{key}", {}).get(name)

    def set_value(self, key: str, name: str, kind: str, value: int | str, view: int = 64) -> None:
        """Set a registry value below a key that exists."""
        self.registry[f"{view}:{key}"][name] = (kind, value)
        self.ledger.append(f"set {view}:{key}\\{name} = {value}")

    def remove_value(self, key: str, name: str, view: int = 64) -> None:
        """Remove a registry value."""
        if self.registry.get(f"{view}:{key}", {}).pop(name, None) is not None:
            self.ledger.append(f"remove {view}:{key}\\{name}")

"""The guests of the demo and of ``fleet lab``, with the faults that are planted in them."""

from __future__ import annotations

from pathlib import Path

from fleet.catalog import Catalog
from fleet.lab import fake_windows
from fleet.lab.fake_root import FakeRoot, Fault
from fleet.lab.lab import LEGACY, Accounts, Lab, Resident
from fleet.lab.windows_logs import TEXTS, WRITER_FAILED, logged
from fleet.lab.windows_model import WindowsModel
from fleet.lab.windows_state import RegistryKey, Service, WindowsState, Writer

_DOTNET = "HKLM\\SOFTWARE\\Microsoft\\.NETFramework\\v4.0.30319"
_DOTNET_SETUP = "HKLM\\SOFTWARE\\Microsoft\\NET Framework Setup\\NDP\\v4\\Full"
_GUEST = "HKLM\\SOFTWARE\\Microsoft\\Virtual Machine\\Guest"
_INTERFACE = (
    "HKLM\\SYSTEM\\CurrentControlSet\\Services\\Tcpip\\Parameters\\Interfaces"
    "\\{4c5a1f2e-0000-4000-8000-000000000001}"
)


def make_lab(folder: Path, catalog: Catalog) -> Lab:
    """A lab in a new folder: three Windows guests and three Linux guests, most of them with a fault."""
    accounts = Accounts(folder / "secrets")
    guests = folder / "guests"
    guests.mkdir(mode=0o700)
    return Lab(folder, _linux(accounts, guests), _windows(accounts, guests, catalog))


def _linux(accounts: Accounts, folder: Path) -> list[Resident]:
    faults = {"lin-web1": (Fault.DEAD, Fault.DISABLED), "lin-web2": (), "lin-db": ()}
    guests: list[Resident] = []
    for name, planted in faults.items():
        guest = FakeRoot(folder / name, name, accounts=accounts.linux, uid=1000, faults=planted)
        guest.write("/etc/os-release", 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n')
        guests.append(guest)
    return guests


def _windows(accounts: Accounts, folder: Path, catalog: Catalog) -> list[Resident]:
    states = {
        "win-sql": _sql_server(),
        "win-app": windows_server(strong_crypto=False),
        LEGACY: windows_server(strong_crypto=True),
    }
    engine = fake_windows.available()
    guests: list[Resident] = []
    for name, state in states.items():
        passwords = accounts.legacy if name == LEGACY else accounts.windows
        if engine:
            described = fake_windows.from_model(state)
            guests.append(fake_windows.FakeWindows(name, passwords, described, folder, right_clock=True))
        else:
            guests.append(WindowsModel(name, passwords, state, catalog))
    return guests


def _sql_server() -> WindowsState:
    state = windows_server(strong_crypto=True)
    state.services |= {"SQLWriter": Service(), "MSSQLSERVER": Service(account="NT Service\\MSSQLSERVER")}
    id_ = "a65faa63-5ea8-4ebc-9dbd-a0c4db26912a"
    error = "Non-retryable error"
    state.writers.append(Writer("SqlServerWriter", id_, "SQLWriter", state=9, last_error=error))
    state.events = logged(WRITER_FAILED)
    return state


def windows_server(*, strong_crypto: bool) -> WindowsState:
    """A healthy Windows Server in Azure, with or without strong cryptography for .NET."""
    value: RegistryKey = {"SchUseStrongCrypto": ("DWord", 1)} if strong_crypto else {}
    registry = {f"{view}:{_DOTNET}": dict(value) for view in (64, 32)}
    agent: RegistryKey = {"GuestAgentVersion": ("String", "2.7.41491.1176"), "GuestAgentStatus": ("DWord", 1)}
    registry[f"64:{_GUEST}"] = agent
    registry[f"64:{_DOTNET_SETUP}"] = {"Release": ("DWord", 528_040)}  # 4.8
    registry[f"64:{_INTERFACE}"] = {
        "EnableDHCP": ("DWord", 1),
        "DhcpIPAddress": ("String", "10.0.0.5"),
        "DhcpDefaultGateway": ("String", "10.0.0.1"),
    }
    return WindowsState(
        services=_services(), writers=_writers(), registry=registry, texts=dict(TEXTS), events=logged()
    )


def _services() -> dict[str, Service]:
    network_service = "NT AUTHORITY\\NetworkService"
    return {
        "BITS": Service(start_type="DelayedAutomatic"),
        "COMSysApp": Service(start_type="Manual", depends_on=("EventSystem",)),
        "CryptSvc": Service(account=network_service),
        "EventSystem": Service(account="NT AUTHORITY\\LocalService"),
        "MSDTC": Service(start_type="DelayedAutomatic", account=network_service),
        "RdAgent": Service(),
        "VSS": Service(start_type="Manual"),
        "msiserver": Service(status="Stopped", start_type="Manual"),
        "WindowsAzureGuestAgent": Service(),
        "Winmgmt": Service(),
        "swprv": Service(start_type="Manual"),
    }


def _writers() -> list[Writer]:
    """The writers of every Windows Server; ids of "In-Box VSS Writers" (Microsoft Learn, 2018-05)."""
    return [
        Writer("Task Scheduler Writer", "d61d61c8-d73a-4eee-8cdd-f6f9786b7124", "VSS"),
        Writer("VSS Metadata Store Writer", "75dfb225-e2e4-4d39-9ac9-ffaff65ddf06", "VSS"),
        Writer("Performance Counters Writer", "0bada1de-01a9-4625-8278-69e735f39dd2", "VSS"),
        Writer("System Writer", "e8132975-6f93-4464-a53e-1050253ae220", "CryptSvc"),
        Writer("ASR Writer", "be000cbe-11fe-4426-9c58-531aa6355fc4", "VSS"),
        Writer("COM+ REGDB Writer", "542da469-d3e1-473c-9f4f-7847f01fc64f", "VSS"),
        Writer("Registry Writer", "afbab4a2-367d-4d15-a586-71dbb18f8485", "VSS"),
        Writer("Shadow Copy Optimization Writer", "4dc3bdd4-ab48-4d07-adb0-3bee2926fd7f", "VSS"),
        Writer("WMI Writer", "a6ad56c2-b509-4e6c-bb19-49d8f43532f0", "Winmgmt", impact="medium"),
        Writer("BITS Writer", "4969d978-be47-48b0-b100-f328f07ac1e0", "BITS"),
    ]

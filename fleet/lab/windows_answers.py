"""What a Windows guest would answer: the snippets that the model knows, told again in Python.

Each function here says what the snippet of that name in ``scripts/ps`` says about the same guest; where an
engine is at hand, ``tests/lab`` runs both and compares. A snippet that is not here fails and says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from fleet.lab import windows_collect
from fleet.lab.windows_call import Call, Stop
from fleet.lab.windows_state import WindowsState, Writer
from fleet.model import JsonValue

_STATES = {1: "stable", 8: "failed at prepare snapshot", 9: "failed at freeze", 10: "failed at thaw"}
_STATES |= {5: "waiting for backup complete", 7: "failed at prepare backup", 11: "failed at post-snapshot"}


_SHELL = "PowerShell 5.1"
"""What Windows Server 2016 to 2025 have."""


def answer(
    state: WindowsState, name: str, parameters: Mapping[str, JsonValue], check: bool, *, looks: bool = False
) -> Call:
    """Run what the model knows of a snippet; every answer says that it is simulated.

    One that it does not know fails, or is skipped where it only ``looks``: that is no fault of the guest.
    """
    call = Call(state, parameters, check)
    call.data["simulated"] = True
    try:
        if name in _KNOWN:
            _KNOWN[name](call)
        else:
            refuse = call.skip if looks else call.fail
            refuse(f"the model of this simulated guest does not know {name}; it needs a PowerShell (pwsh)")
    except Stop:
        pass
    return call


def _show(writer: Writer) -> str:
    text = f"{writer.name} {_STATES.get(writer.state, 'unknown')} [{writer.state}]"
    return f"{text}, last error: {writer.last_error}" if _verdict(writer) == "last-error" else text


def _verdict(writer: Writer) -> str:
    if writer.state == 1:
        return "stable" if writer.last_error == "No error" else "last-error"
    return "waiting" if 2 <= writer.state <= 5 else "failed"


def _backup(call: Call) -> str:
    """What takes a snapshot now, or nothing."""
    names = ("IaaSBcdrExtension", "wbengine")
    found = [(names.index(name), pid, name) for pid, name in call.state.processes.items() if name in names]
    return ", ".join(f"{name} (process {pid})" for _, pid, name in sorted(found))


def _stop_for_backup(call: Call, *, writers: bool = True) -> None:
    running = _backup(call)
    waiting = "; ".join(_show(writer) for writer in call.state.writers if _verdict(writer) == "waiting")
    if not running and writers and waiting and call.state.status("VSS") == "Running":
        running = f"writers wait, as during a backup: {waiting}"
    if running:
        call.item("held", f"a backup is running: {running}")
        call.skip(f"a backup is running: {running}; nothing was touched, do it again afterwards")


def _listed(call: Call) -> list[Writer]:
    """The writers whose services run, in the data too."""
    writers = [writer for writer in call.state.writers if call.state.status(writer.service) == "Running"]
    call.data["writers"] = [
        {
            "name": writer.name,
            "id": writer.id,
            "state": writer.state,
            "last_error": writer.last_error,
            "verdict": _verdict(writer),
            "service": writer.service,
            "known": True,
        }
        for writer in writers
    ]
    call.data["missing"] = []
    return writers


def _vss_writers(call: Call) -> None:
    writers = _listed(call)
    bad = [writer for writer in writers if _verdict(writer) in {"failed", "last-error"}]
    if bad:
        call.fail("; ".join(_show(writer) for writer in bad))
    waiting = [writer for writer in writers if _verdict(writer) == "waiting"]
    if waiting:
        running = _backup(call)
        if not running:
            names = "; ".join(_show(writer) for writer in waiting)
            no_backup = "no backup of Azure or of Windows runs: they are stuck, or another product backs up"
            call.fail(f"{names}; {no_backup}")
        call.item("held", f"a backup is running: {running}")
        wait = f"a backup is running, {running}, and {len(waiting)} writers wait for it"
        call.skip(f"{wait}; look again afterwards")
    call.ok(f"{len(writers)} writers are stable")


def _restart_vss_writers(call: Call) -> None:
    call.data["roles"] = ["sql-server"] if "MSSQLSERVER" in call.state.services else []
    _stop_for_backup(call, writers=False)  # they are looked at below
    writers = _listed(call)
    waiting = "; ".join(_show(writer) for writer in writers if _verdict(writer) == "waiting")
    if waiting and not call.parameters.get("restart_waiting"):
        call.item("held", f"writers wait, as during a backup: {waiting}")
        call.skip(
            f"writers wait, as during a backup: {waiting}; nothing was touched. "
            "If no product is taking a backup: restart_waiting=true"
        )
    bad = [writer for writer in writers if _verdict(writer) != "stable"]
    last = {"VSS": 1, "Winmgmt": 2}
    for service in sorted({writer.service for writer in bad}, key=lambda name: (last.get(name, 0), name)):
        _restart_for(call, service, [writer for writer in bad if writer.service == service])
    if call.outcome == "changed":
        if not call.check:
            _listed(call)
        if "held" in call.data:
            call.changed(f"held: {'; '.join(call.data['held'])}")
        return
    if "held" in call.data:
        call.skip(f"held: {'; '.join(call.data['held'])}")
    call.ok(f"{len(writers)} writers are stable, nothing to do")


def _restart_for(call: Call, service: str, writers: list[Writer]) -> None:
    names = [writer.name for writer in writers]
    dependents = call.state.running_dependents(service)
    if any(writer.impact == "high" for writer in writers) and not call.parameters.get("allow_high_impact"):
        reason = f"the restart of {service} is an outage for others"
        call.item("held", f"{', '.join(names)}: {reason}; allow_high_impact=true")
        return
    restart = {"service": service, "writers": names, "dependents": dependents, "problem": ""}
    call.item("restarts", restart)
    also = f" with {', '.join(dependents)}" if dependents else ""
    if call.check:
        call.changed(f"would restart {service}{also} for {', '.join(names)}")
        return
    call.state.restart(service)
    call.changed(f"restarted {service}{also}")


_COM_SERVICES = {"EventSystem": "Automatic", "MSDTC": "DelayedAutomatic", "COMSysApp": "Manual"}
_NETWORK_SERVICE = r"NT AUTHORITY\NetworkService"


def _complus_msdtc(call: Call) -> None:
    found = []
    for name in _COM_SERVICES:
        service = call.state.services.get(name)
        if service is None:
            found.append(f"there is no service {name}")
            continue
        shown = {"status": service.status, "start_type": service.start_type, "account": service.account}
        call.item("services", {"name": name, **shown})
        if service.start_type == "Disabled":
            found.append(f"{name} is disabled")
        elif service.start_type.endswith("Automatic") and service.status != "Running":
            found.append(f"{name} is {service.status} although it starts by itself")
        if name == "MSDTC" and service.account != _NETWORK_SERVICE:
            found.append(f"MSDTC runs as {service.account}, not as Network Service")
    if found:
        call.fail("; ".join(found))
    call.ok("COM+ System Application can start, MSDTC runs as Network Service")


_COM_ORDER = tuple(_COM_SERVICES)


def _start_comsysapp(call: Call) -> None:
    _stop_for_backup(call)
    for name in _COM_ORDER:
        service = call.state.services.get(name)
        if service is None:
            call.fail(f"there is no service {name}; nothing was touched (for MSDTC: reinstall-msdtc)")
            return
        before = {"status": service.status, "start_type": service.start_type, "account": service.account}
        call.item("before", {"name": name, **before})
    for name in _COM_ORDER:
        service = call.state.services[name]
        if service.start_type == "Disabled":
            _let_start_again(call, name)
        if service.status == "Running" or (name == "MSDTC" and service.start_type == "Manual"):
            continue
        if call.check:
            call.changed(f"would start {name}")
        elif call.state.start(name):
            call.changed(f"started {name}")
        else:
            call.fail(f"{name} does not start: it stopped again at once")
    if call.outcome != "changed":
        call.ok("COM+ System Application runs, nothing to do")


def _let_start_again(call: Call, name: str) -> None:
    usual = _COM_SERVICES[name]
    if call.check:
        call.changed(f"would set {name} to start type {usual}")
        return
    before = {"name": name, "start_type": call.state.services[name].start_type}
    call.data.setdefault("undo", {}).setdefault("services", []).append(before)
    call.state.set_start_type(name, usual)
    call.changed(f"{name} may start again")


_DOTNET = "HKLM\\SOFTWARE\\Microsoft\\.NETFramework\\v"
_CRYPTO = "SchUseStrongCrypto"


def _dotnet_keys(call: Call) -> list[tuple[int, str]]:
    """View and key of every installed version."""
    keys = [key.split(":", 1) for key in call.state.registry]
    found = [(int(view), key) for view, key in keys if key.startswith(_DOTNET)]
    return sorted(found, key=lambda pair: (-pair[0], pair[1]))


def _registry_entry(call: Call, view: int, key: str, name: str) -> dict[str, JsonValue]:
    kind, value = call.state.value(key, name, view) or (None, None)
    return {"view": view, "key": key, "name": name, "existed": kind is not None, "type": kind, "value": value}


def _strong_crypto(call: Call) -> None:
    wrong = []
    keys = _dotnet_keys(call)
    for view, key in keys:
        entry = _registry_entry(call, view, key, _CRYPTO)
        call.item("values", entry)
        if (entry["type"], entry["value"]) != ("DWord", 1):
            wrong.append(f"{_CRYPTO} in {key.rsplit(chr(92), 1)[1]}, {view} bit")
    call.data["tls12_client"] = {"Enabled": None, "DisabledByDefault": None}
    if not keys:
        call.skip("no .NET Framework of version 2 or 4 is installed")
    if wrong:
        call.fail(f"not 1: {'; '.join(wrong)}")
    call.ok(f"{_CRYPTO} 1 in {len(keys)} keys")


def _set_strong_crypto(call: Call) -> None:
    keys = _dotnet_keys(call)
    changes = 0
    for view, key in keys:
        before = _registry_entry(call, view, key, _CRYPTO)
        if (before["type"], before["value"]) == ("DWord", 1):
            continue
        changes += 1
        call.item("values", before)
        if not call.check:
            call.data.setdefault("undo", {}).setdefault("values", []).append(before)
            call.state.set_value(key, _CRYPTO, "DWord", 1, view)
    if not keys:
        call.skip("no .NET Framework of version 2 or 4 is installed")
    if not changes:
        call.ok(f"{_CRYPTO} 1 in {len(keys)} keys already, nothing to do")
    elif call.check:
        call.changed(f"would set {changes} values to 1 in {len(keys)} keys")
    else:
        effect = "programs that run read it at their next start"
        call.changed(f"set {changes} values to 1 in {len(keys)} keys; {effect}")


_AGENT = ("RdAgent", "WindowsAzureGuestAgent")
_TELEMETRY = "WindowsAzureTelemetryService"
_AGENT_KEY = "HKLM\\SOFTWARE\\Microsoft\\Virtual Machine\\Guest"
_AGENT_VALUES = ("GuestAgentVersion", "GuestAgentStatus", "DHCPStatus", "WireServerStatus")


def _azure_guest_agent(call: Call) -> None:
    found, missing = [], []
    for name in (*_AGENT, _TELEMETRY):
        service = call.state.services.get(name)
        if service is None:
            missing += [name] if name != _TELEMETRY else []
            continue
        shown = {"status": service.status, "start_type": service.start_type, "account": service.account}
        call.item("services", {"name": name, **shown})
        if service.status != "Running":
            found.append(f"{name} is {service.status}")
        if not service.start_type.endswith("Automatic"):
            found.append(f"{name} starts {service.start_type}, not by itself")
    values = {name: call.state.value(_AGENT_KEY, name) for name in _AGENT_VALUES}
    call.data["guest"] = {name: value[1] if value else None for name, value in values.items()}
    call.data |= {"crashes": 0, "status_age": None}
    if len(missing) == len(_AGENT):
        names = "neither RdAgent nor WindowsAzureGuestAgent is there"
        call.fail(f"the Azure guest agent is not installed: {names}")
    found += [f"there is no service {name}" for name in missing]
    if found:
        call.fail("; ".join(found))
    call.ok("the agent's services run and start by themselves")


def _restart_azure_guest_agent(call: Call) -> None:
    names = [*_AGENT, *([_TELEMETRY] if _TELEMETRY in call.state.services else [])]
    for name in names:
        service = call.state.services.get(name)
        if service is None:
            install = "the agent has to be installed (MSI of the Azure VM agent)"
            call.fail(f"there is no service {name}: {install}; nothing was touched")
            return
        call.item("before", {"name": name, "status": service.status, "start_type": service.start_type})
    services = call.state.services
    down = [name for name in names if services[name].status != "Running"]
    wrong = [name for name in names if not services[name].start_type.endswith("Automatic")]
    if wrong or call.parameters.get("force"):
        call.fail("the model of this simulated guest knows only an agent that was stopped")
    if not down:
        call.ok(f"{', '.join(names)} run, nothing to do")
        return
    _stop_for_backup(call)
    if call.check:
        call.changed(f"would restart RdAgent and start {', '.join(names[1:])}")
        return
    if services["RdAgent"].status == "Stopped":
        call.state.start("RdAgent")
    else:
        call.state.restart("RdAgent")
    call.changed("RdAgent runs anew")
    for name in names[1:]:
        if services[name].status != "Running":
            call.state.start(name)
        call.changed(f"{name} runs")


def _ping(call: Call) -> None:
    said = {"os": call.state.product, "os_version": call.state.version, "shell": _SHELL}
    said |= {"rights": "administrator", "language_mode": "FullLanguage"}
    call.data |= {**said, "epoch": int(time.time()), "probe": call.parameters.get("probe", "")}
    call.ok(f"{call.state.product}, {_SHELL}, administrator")


_KNOWN: dict[str, Callable[[Call], None]] = {
    **windows_collect.KNOWN,
    "azure-guest-agent": _azure_guest_agent,
    "complus-msdtc": _complus_msdtc,
    "ping": _ping,
    "restart-azure-guest-agent": _restart_azure_guest_agent,
    "restart-vss-writers": _restart_vss_writers,
    "set-strong-crypto": _set_strong_crypto,
    "start-comsysapp": _start_comsysapp,
    "strong-crypto": _strong_crypto,
    "vss-writers": _vss_writers,
}

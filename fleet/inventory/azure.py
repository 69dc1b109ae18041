"""The output of ``az vm list -d -o json`` (Azure CLI): a list of virtual machines.

Used of each: ``name``, ``privateIps``, ``publicIps`` and ``powerState`` (added by ``-d``),
``storageProfile.osDisk.osType``, ``resourceGroup``, ``location``, ``zones``, ``tags``. Users and secret
references are not in there: say them in a second file, of the groups ``windows`` and ``linux``.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from fleet.errors import InventoryError, Place
from fleet.inventory.draft import Draft, Setting, shown
from fleet.inventory.secretrefs import is_private
from fleet.model import JsonValue

_CONNECTION = {"windows": "winrm", "linux": "ssh"}


def read_azure(text: str, path: Path, draft: Draft) -> None:
    """Add the machines of a list; mistakes name the machine, as JSON has no useful lines."""
    place = Place(path)
    try:
        machines = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise InventoryError(f"this is not valid JSON: {error.msg}", Place(path, error.lineno)) from None
    except (ValueError, RecursionError):
        raise InventoryError(
            "this is not the JSON of az: a key stands twice, a number is none, or it is nested too deep",
            place,
        ) from None
    if not isinstance(machines, list) or not all(isinstance(machine, dict) for machine in machines):
        raise InventoryError(
            "the file is no list of machines; save the output of: az vm list -d -o json", place
        )
    counts = Counter(str(machine.get("name")) for machine in machines)
    for number, machine in enumerate(machines, 1):
        try:
            _machine(machine, counts, place, draft)
        except ValueError as error:
            name = machine.get("name")
            title = shown(name) if isinstance(name, str) and name else f"machine {number}"
            draft.mistakes.add(f"{title}: {error}", place)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError
    return fields


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _machine(machine: Mapping[str, Any], counts: Counter[str], place: Place, draft: Draft) -> None:
    name, group = _text(machine, "name"), _text(machine, "resourceGroup")
    address = _address(machine)
    system = _system(machine)
    title = f"{name}.{group}" if counts[name] > 1 else name
    location = machine.get("location")
    variables: dict[str, JsonValue] = {
        "ansible_host": address,
        "azure_name": name,
        "azure_resource_group": group,
        "azure_location": location,
        "azure_power_state": machine.get("powerState"),
        "azure_tags": machine.get("tags"),
    }
    groups = [system, _group_name("rg", group)]
    zones = machine.get("zones")
    if isinstance(zones, list) and len(zones) == 1:
        variables["fleet_zone"] = f"{location}-{zones[0]}"
        groups.append(_group_name("zone", str(location), str(zones[0])))
    if isinstance(machine.get("tags"), dict):
        groups += [
            _group_name("tag", key, str(value))
            for key, value in machine["tags"].items()
            if not is_private(key)
        ]
    settings = [(key, Setting(value, place)) for key, value in variables.items() if value is not None]
    for group_name in groups:
        owner = draft.group(group_name, place)
        if owner is not None:
            draft.put_all(draft.members(owner, title, place), settings)
    _defaults(system, place, draft)


def _defaults(system: str, place: Place, draft: Draft) -> None:
    """Say how a system is reached in a parent of its group, so that the group itself may say otherwise."""
    parent = draft.group(f"azure_{system}", place)
    assert parent is not None, "its name is valid"
    draft.child(parent, system, place)
    draft.put(parent, "fleet_os", Setting(system, place))
    draft.put(parent, "ansible_connection", Setting(_CONNECTION[system], place))


def _text(machine: Mapping[str, Any], key: str) -> str:
    value = machine.get(key)
    if not isinstance(value, str) or not value:
        raise ValueError(f'it has no "{key}"; save the output of: az vm list -d -o json')
    return value


def _address(machine: Mapping[str, Any]) -> str:
    """The first private address, else the first public one; ``-d`` joins several with commas."""
    for key in ("privateIps", "publicIps"):
        value = machine.get(key)
        if isinstance(value, str) and value.strip():
            return value.split(",")[0].strip()
    if "privateIps" not in machine:
        raise ValueError("it has no address; the list was saved without -d: az vm list -d -o json")
    raise ValueError("it has no address; give it a network interface, or leave it out with --query")


def _system(machine: Mapping[str, Any]) -> str:
    profile = machine.get("storageProfile")
    disk = profile.get("osDisk") if isinstance(profile, dict) else None
    system = disk.get("osType") if isinstance(disk, dict) else None
    if not isinstance(system, str) or system.lower() not in _CONNECTION:
        raise ValueError("storageProfile.osDisk.osType is neither Windows nor Linux")
    return system.lower()


def _group_name(*parts: str) -> str:
    """Ansible's form of such groups: ``rg_prod``, ``tag_role_sql``; other characters become ``_``."""
    return "_".join(re.sub(r"[^A-Za-z0-9.-]+", "_", part) for part in parts)[:253]

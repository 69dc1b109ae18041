#!/bin/sh
# /// fleet
# kind = "check"
# title = "The address comes from DHCP, as the platform wants it"
# about = "Linux: a lease with option 245, the address of the wire server. Windows: DHCP of the interface with the default route."
# severity = "error"
# idempotent = "yes"
# timeout = 60
#
# [returns.interfaces]
# type = "list"
# about = "Windows: each interface with a default route, with id, address and dhcp"
#
# [returns.option_245]
# type = "str"
# about = "Linux: the option as the lease writes it; a8:3f:81:10 is 168.63.129.16"
#
# [returns.agent_says]
# type = "int"
# about = "Windows: DHCPStatus of the agent in the registry; null where it is absent"
# ///

# Leases of dhclient, then of systemd-networkd, then what NetworkManager tells (WALinuxAgent, dhcp.py).
leases() {
    grep -h 'unknown-245' "$root"/var/lib/dhcp/*.lease* "$root"/var/lib/dhclient/*.lease* 2>/dev/null || :
    grep -h '^OPTION_245=' "$root"/run/systemd/netif/leases/* 2>/dev/null || :
    if command -v nmcli >/dev/null 2>&1; then
        run_native 20 nmcli -t -f DHCP4 device show 2>/dev/null | grep '_245 *=' || :
    fi
}

option=$(leases | sed -e 's/.*245[ =]*//' -e 's/;.*//' | tail -n 1)
data option_245 "$option"
[ -n "$option" ] || fail "no DHCP lease here has option 245, from which the agent learns the address of the host"
ok "option 245 was received: $option"

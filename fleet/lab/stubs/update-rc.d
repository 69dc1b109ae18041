#!/bin/sh
# update-rc.d of a simulated guest: defaults and enable.
. "$FLEET_ROOT/.lab/stubs/_agent.sh"
[ "$2" = defaults ] || exit 0
mkdir -p "$FLEET_ROOT/etc/rc2.d"
: >"$FLEET_ROOT/etc/rc2.d/S01$1"
did "$1 enabled"

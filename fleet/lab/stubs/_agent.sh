# Model of a guest's Azure Linux agent, for the stub commands beside this file, which source it.
#
# The guest's state lies in $FLEET_ROOT/.lab: calls (every call of a stub), ledger (what was done to the
# guest), faults (one file a fault), service, enabled, active, condition, pid (of the daemon), next_pid.
# Process ids are above what Linux gives (4194304), so that no signal can reach a process of this machine.
# shellcheck shell=sh

lab=$FLEET_ROOT/.lab
printf '%s\n' "${0##*/}${1+ $*}" >>"$lab/calls"

fault() { [ -e "$lab/faults/$1" ]; }
get() { cat "$lab/$1" 2>/dev/null || :; }
put() { printf '%s\n' "$2" >"$lab/$1"; }
did() { printf '%s\n' "$*" >>"$lab/ledger"; }
is_agent() { [ "${1%.service}" = "$(get service)" ]; }

log_line() {
    fault silent || printf '%s INFO Daemon %s\n' "$(date -u +%Y-%m-%dT%H:%M:%S.000000Z)" "$1" \
        >>"$FLEET_ROOT/var/log/waagent.log"
}

agent_start() {
    [ -z "$(get pid)" ] || { log_line "Daemon is already running: $(get pid)"; return 0; }
    put active active
    if fault condition; then
        put active inactive
        put condition no
        return 0
    fi
    ! fault start-fails || { put active failed; return 1; }
    new=$(get next_pid)
    put next_pid $((new + 1))
    put pid "$new"
    agent_process "$new"
    log_line "Azure Linux Agent Version:2.7.3.0"
    did "agent started as pid $new"
    if fault dies || fault flaps; then agent_later >/dev/null 2>&1 & fi
}

agent_later() {
    sleep 0.3
    agent_stop
    if fault flaps; then
        rm "$lab/faults/flaps"
        agent_start
    fi
}

agent_process() {
    mkdir -p "$FLEET_ROOT/proc/$1"
    printf '/usr/bin/python3\000-u\000/usr/sbin/waagent\000-daemon\000' >"$FLEET_ROOT/proc/$1/cmdline"
    boot=$(sed -n 's/^btime //p' "$FLEET_ROOT/proc/stat")
    printf '%s (python3) S 1 %s %s 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 %s 0 0\n' "$1" "$1" "$1" \
        "$((($(date +%s) - boot) * 100))" >"$FLEET_ROOT/proc/$1/stat"
}

agent_stop() {
    old=$(get pid)
    put active inactive
    [ -n "$old" ] || return 0
    rm -rf "${FLEET_ROOT:?}/proc/$old"
    put pid ''
    did "agent stopped, was pid $old"
}

agent_restart() {
    ! fault stop-keeps || { agent_start; return 0; }
    agent_stop
    agent_start
}

#!/bin/sh
# shellcheck disable=SC2034,SC2154 # the frame and the snippets give and read variables of this file
# Library of the sh snippets: what a snippet may call, and below that what the frame needs to run it.
#
# Answer (message and data become the envelope; everything else a snippet prints is log)
#   ok MESSAGE            all is well; says what was seen. Not needed for an empty message.
#   changed MESSAGE       something was changed, or in check mode would be. May be called for every step.
#   fail MESSAGE          ends the snippet: failed. What `changed` said before stays in the message.
#   skip MESSAGE          ends the snippet: it does not apply here.
#   note TEXT             a line for the log.
#   data KEY VALUE        adds a text to the data. Any bytes but NUL; what is no UTF-8 becomes U+FFFD.
#   data_int KEY NUMBER   a whole number; anything else is written as null.
#   data_bool KEY VALUE   1, y, yes, true -> true; 0, n, no, false, "" -> false; anything else null.
#   data_list KEY [ITEM]  a list of the arguments, or without any the lines of stdin.
#   undo KEY VALUE        adds a text to data.undo: exactly the parameters that the snippet named by
#                         `undo` in the header needs to take the change back.
#   undo_bool KEY VALUE   adds true or false to data.undo.
# `exit 0` ends a snippet early with what was said so far; any other status than 0, whether by `exit` or
# by a command under `set -e`, means failed. fail and skip end only the subshell when called in one.
#
# Given to it
#   $check                1 in check mode: say what would be done, change nothing; otherwise 0.
#   $root                 stands before every absolute path; empty except in tests and labs.
#   each declared parameter under its name; bool is 1 or 0, a list has one item a line.
#
# Acting
#   run_native SECONDS COMMAND [ARGUMENT]   run a program, stop it and what it started at its deadline
#                         (status 124). Works inside $( ). Status of the program otherwise.
#   keep_copy PATH        private copy of a file before it is changed, for undo: sets $copy. Fails the
#                         snippet where that can't be done, so nothing is changed that can't be taken back.
#   replace_file PATH     new content from stdin by way of a temporary file in the same folder and mv;
#                         keeps owner, mode and SELinux label. Status not 0 and the old file untouched
#                         when that fails (full disk).
#   checksum PATH         prints CRC and length (POSIX cksum); nothing where there is no such file.
#   require_root          fails unless the snippet may act as root.
#
# Files and programs of people, for collectors
#   unescape TEXT         sets $plain to a text in which bytes are written as %XX; status 1 where it can't be.
#   enter FOLDER          goes into the folder below $root if no link is on the way to it; otherwise status 1,
#                         and $obstacle says why: link, gone, denied. For subshells.
#   is_ours FOLDER        whether it is a folder, no link, and belongs to the account that this runs as.
#   free_bytes FOLDER     prints what is free there; 0 where nobody says.
#   part OFFSET LENGTH    prints these bytes of the file that is stdin, wherever it was read to.
#   end_marked NAME=VALUE ends the programs of this session that have this in their environment.
#
# Network
#   tcp_answers HOST PORT SECONDS   prints yes or no, whether something accepts a connection there in time;
#                         unknown where no program is here that could tell (python3, curl, bash).
#
# Processes and services (nothing here reads localised output)
#   processes WORD        "PID COMMAND LINE" of the processes whose command line contains WORD. Write one
#                         letter of it as [x], so that the word does not find the grep that looks for it.
#   process_id PID        "PID:START": tells a process from a later one with the same number; nothing
#                         where there is none.
#   process_started PID   when it was started, in seconds since 1970; nothing where that can't be told.
#   end_process PID:START   SIGTERM to a process, if it is still the same.
#   service_find NAME...  first of the names that is a service here. Sets $service and
#                         $manager (systemd, openrc, sysv); status 1 and both empty where there is none.
#   service_look          what the manager says of $service: sets $service_active (active, inactive,
#                         failed ...), $service_enabled (yes, no, masked, unknown), $service_pid (0: none
#                         known) and $service_condition (no: start was refused by a Condition of the unit).
#   service_act VERB SECONDS   status, start, stop, restart, enable, unmask or reset-failed; gives what
#                         `run_native` gives. A status of 0 proves nothing: look at the process.
#
# The Azure Linux agent: waagent_*, described where they are defined.

# --- answer -----------------------------------------------------------------------------------------

fleet_outcome=ok
fleet_message=
fleet_done=
fleet_data=
fleet_undo=

ok() {
    fleet_message=$*
}

changed() {
    fleet_outcome=changed
    fleet_done=${fleet_done:+$fleet_done; }$*
    fleet_message=$fleet_done
}

fail() {
    fleet_outcome=failed
    fleet_message=$*${fleet_done:+; done before that: $fleet_done}
    exit 1
}

skip() {
    fleet_outcome=skipped
    fleet_message=$*
    exit 0
}

note() {
    printf '%s\n' "$*" || :
}

data() {
    fleet_add "$1" "$(fleet_json "$2")"
}

data_int() {
    case ${2#-} in
        '' | *[!0-9]* | 0?*) fleet_add "$1" null ;;
        *) fleet_add "$1" "$2" ;;
    esac
}

data_bool() {
    fleet_add "$1" "$(fleet_bool "$2")"
}

fleet_bool() {
    case $1 in
        1 | y | yes | true) printf true ;;
        0 | n | no | false | '') printf false ;;
        *) printf null ;;
    esac
}

data_list() {
    fleet_key=$1
    shift
    fleet_items=
    if [ $# -gt 0 ]; then
        for fleet_item in "$@"; do
            fleet_items=${fleet_items:+$fleet_items,}$(fleet_json "$fleet_item")
        done
    else
        while IFS= read -r fleet_item || [ -n "$fleet_item" ]; do
            fleet_items=${fleet_items:+$fleet_items,}$(fleet_json "$fleet_item")
        done
    fi
    fleet_add "$fleet_key" "[$fleet_items]"
}

undo() {
    fleet_undo=${fleet_undo:+$fleet_undo,}$(fleet_json "$1"):$(fleet_json "$2")
}

undo_bool() {
    fleet_undo=${fleet_undo:+$fleet_undo,}$(fleet_json "$1"):$(fleet_bool "$2")
}

# Adds KEY with a value that is JSON already; a key that was there is kept as it was said first.
fleet_add() {
    fleet_name=$(fleet_json "$1")
    case ",$fleet_data" in
        *",$fleet_name:"*) note "fleet: $1 was given twice; the first is kept" ;;
        *) fleet_data=${fleet_data:+$fleet_data,}$fleet_name:$2 ;;
    esac
}

# Prints a JSON string of pure ASCII. Plain text needs no program; anything else is read by awk byte by
# byte: valid UTF-8 (RFC 3629) becomes \uXXXX, each maximal invalid part U+FFFD.
fleet_json() {
    case $1 in
        *[!\ -~]* | *[\"\\]*) ;;
        *)
            printf '"%s"' "$1"
            return
            ;;
    esac
    printf '%s\n' "$1" | awk '
        function unit(code) {
            if (code < 65536) { printf "\\u%04x", code; return }
            code -= 65536
            printf "\\u%04x\\u%04x", 55296 + int(code / 1024), 56320 + code % 1024
        }
        function put(line,  size, at, c, byte, code, more, low, high) {
            size = length(line)
            for (at = 1; at <= size; at++) {
                c = substr(line, at, 1)
                if (c in plain) { printf "%s", plain[c]; continue }
                byte = (c in number) ? number[c] : 0
                low = 128; high = 191; more = 0
                if (byte >= 194 && byte <= 223) { more = 1; code = byte - 192 }
                else if (byte >= 224 && byte <= 239) {
                    more = 2; code = byte - 224
                    if (byte == 224) low = 160
                    if (byte == 237) high = 159
                } else if (byte >= 240 && byte <= 244) {
                    more = 3; code = byte - 240
                    if (byte == 240) low = 144
                    if (byte == 244) high = 143
                }
                if (!more) code = 65533
                while (more) {
                    c = substr(line, at + 1, 1)
                    byte = (c in number) ? number[c] : 0
                    if (byte < low || byte > high) { code = 65533; break }
                    code = code * 64 + byte - 128
                    at++; more--; low = 128; high = 191
                }
                unit(code)
            }
        }
        BEGIN {
            for (i = 1; i < 256; i++) {
                c = sprintf("%c", i)
                if (i > 127) number[c] = i
                else plain[c] = (i < 32 || i == 127) ? sprintf("\\u%04x", i) : c
            }
            plain["\""] = "\\\""; plain["\\"] = "\\\\"; plain["\t"] = "\\t"; plain["\r"] = "\\r"
            printf "\""
        }
        NR > 1 { put(last); printf "\\n" }
        { last = $0 }
        END { put(last); printf "\"" }
    '
}

# --- acting -----------------------------------------------------------------------------------------

run_native() {
    fleet_seconds=$1
    shift
    { "$@" <&3 3<&- & } 3<&0 # a background command would get /dev/null as its stdin
    fleet_child=$!
    (
        fleet_code=0
        fleet_sleep "$fleet_seconds"
        fleet_end "$fleet_child"
        exit 3
    ) </dev/null >/dev/null 2>&1 &
    fleet_alarm=$!
    fleet_native=0
    wait "$fleet_child" || fleet_native=$?
    kill -USR1 "$fleet_alarm" 2>/dev/null || :
    fleet_rang=0
    wait "$fleet_alarm" 2>/dev/null || fleet_rang=$? # some shells tell how it ended
    [ "$fleet_rang" -ne 3 ] || fleet_native=124
    return "$fleet_native"
}

require_root() {
    [ "$(id -u)" = 0 ] || fail "needs root: let the account use sudo -n, or log in as root"
}

checksum() {
    [ -f "$1" ] || return 0
    fleet_sum=$(cksum <"$1") || return 1
    printf '%s' "$fleet_sum"
}

keep_copy() {
    fleet_folder=$root/var/lib/fleet/backup
    (mkdir -p "$fleet_folder" && chmod 700 "$fleet_folder") ||
        fail "no copy of $1 can be kept in $fleet_folder; nothing was changed"
    copy=$fleet_folder/$(date -u +%Y%m%dT%H%M%SZ)-$$-${1##*/}
    { cp -p "$1" "$copy" && cmp -s "$1" "$copy"; } || {
        rm -f "$copy"
        fail "no copy of $1 can be kept in $fleet_folder; nothing was changed"
    }
}

# cp -p gives the new file the owner and mode of the old one before a byte of the content is there.
replace_file() {
    [ ! -L "$1" ] || { note "$1 is a symbolic link"; return 1; }
    fleet_new=$(mktemp "$1.fleet.XXXXXX") || return 1
    if cp -p "$1" "$fleet_new" && cat >"$fleet_new" && fleet_label "$1" "$fleet_new" &&
        mv -f "$fleet_new" "$1"; then
        return 0
    fi
    rm -f "$fleet_new"
    return 1
}

fleet_label() {
    if command -v chcon >/dev/null 2>&1 && [ -e "$root/sys/fs/selinux/enforce" ]; then
        chcon --reference="$1" "$2"
    fi
}

# --- files and programs of people ---------------------------------------------------------------------

# The dot keeps newlines at the end, which $( ) would take off.
unescape() {
    plain='' fleet_rest=$1
    case $1 in
        *%*) ;;
        *)
            plain=$1
            return
            ;;
    esac
    while :; do
        case $fleet_rest in *%*) ;; *) break ;; esac
        fleet_text=${fleet_rest%%\%*} fleet_rest=${fleet_rest#*\%}
        fleet_digits=${fleet_rest%"${fleet_rest#??}"} fleet_rest=${fleet_rest#??}
        case $fleet_digits in 00 | *[!0-9A-F]* | '' | ?) return 1 ;; esac
        fleet_code=$((0x$fleet_digits))
        plain=$plain$fleet_text%$((fleet_code / 64))$((fleet_code / 8 % 8))$((fleet_code % 8))
    done
    plain=$plain$fleet_rest
    plain=$(printf '%s' "$plain" | sed 's/\\/\\\\/g; s/%/\\0/g')
    plain=$(printf '%b.' "$plain")
    plain=${plain%.}
}

enter() {
    fleet_here=''
    [ -z "$root" ] || fleet_here=$(cd -P "$root/" && printf '%s' "$PWD")
    fleet_here=${fleet_here%/}$1
    if cd -P "$root$1/" 2>/dev/null; then
        obstacle='link'
        [ "$PWD" = "${fleet_here:-/}" ]
        return
    fi
    fleet_way=$root fleet_rest=${1#/}/
    while [ -n "$fleet_rest" ]; do
        fleet_way=$fleet_way/${fleet_rest%%/*} fleet_rest=${fleet_rest#*/}
        obstacle='link'
        [ ! -L "$fleet_way" ] || return 1
        obstacle=gone
        [ -x "${fleet_way%/*}/" ] || obstacle=denied
        [ -d "$fleet_way" ] || return 1
    done
    obstacle=denied
    return 1
}

is_ours() {
    # shellcheck disable=SC3067 # dash, bash, busybox and mksh have it
    [ -d "$1" ] && [ ! -L "$1" ] && [ -O "$1" ]
}

# The column before the first percentage, because names of devices and folders may have spaces.
free_bytes() {
    fleet_free=$(run_native 20 df -Pk "$1" 2>/dev/null | awk '
        NR == 2 { for (i = 2; i <= NF; i++) if ($i ~ /^[0-9]+%$/) { print $(i - 1); exit } }')
    case $fleet_free in '' | *[!0-9]*) fleet_free=0 ;; esac
    printf '%s' "$((fleet_free * 1024))"
}

# dd without a block to copy only moves to the place, which head goes on from.
part() {
    dd bs=1 skip="$1" count=0 2>/dev/null || return 1
    head -c "$2"
}

end_marked() {
    fleet_found=''
    fleet_marked "$1" 2>/dev/null
    # shellcheck disable=SC2086 # a list of process ids
    [ -z "$fleet_found" ] || fleet_end_found 2>/dev/null || kill -KILL $fleet_found 2>/dev/null || :
}

# --- network ----------------------------------------------------------------------------------------

# curl and bash may answer with other statuses than python3, so what means "no" is named for each.
tcp_answers() {
    fleet_tried=0
    if command -v python3 >/dev/null 2>&1; then
        run_native "$(($3 + 5))" python3 -c 'import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[3])).close()
except OSError:
    sys.exit(9)' "$1" "$2" "$3" >/dev/null 2>&1 || fleet_tried=$?
        case $fleet_tried in 0) printf yes ;; *) printf no ;; esac
    elif command -v curl >/dev/null 2>&1; then
        run_native "$(($3 + 5))" curl -s -o /dev/null --noproxy '*' --connect-timeout "$3" -m "$(($3 + 2))" \
            "http://$(fleet_bracketed "$1"):$2/" >/dev/null 2>&1 || fleet_tried=$?
        # 6: no such name, 7: no connection, 28: out of time (after a connection too, but then it hangs)
        case $fleet_tried in 6 | 7 | 28 | 124) printf no ;; *) printf yes ;; esac
    elif command -v bash >/dev/null 2>&1; then
        # shellcheck disable=SC2016 # of that bash
        run_native "$3" bash -c ': 3<>"/dev/tcp/$0/$1"' "$1" "$2" >/dev/null 2>&1 || fleet_tried=$?
        case $fleet_tried in 0) printf yes ;; *) printf no ;; esac
    else
        printf unknown
    fi
}

fleet_bracketed() {
    case $1 in *:*) printf '[%s]' "$1" ;; *) printf '%s' "$1" ;; esac
}

# --- processes and services -------------------------------------------------------------------------

processes() {
    fleet_hits=$(cd "$root/proc" && grep -l -- "$1" [0-9]*/cmdline 2>/dev/null) || :
    for fleet_file in $fleet_hits; do
        fleet_line=$(tr '\000' ' ' <"$root/proc/$fleet_file" 2>/dev/null) || continue
        [ -z "$fleet_line" ] || printf '%s %s\n' "${fleet_file%/cmdline}" "${fleet_line% }"
    done
}

process_id() {
    fleet_stat=$(cat "$root/proc/$1/stat" 2>/dev/null) || return 0
    fleet_pid=$1
    # shellcheck disable=SC2086 # the fields after the name, which may hold anything
    set -- ${fleet_stat##*) }
    [ $# -lt 20 ] || printf '%s:%s' "$fleet_pid" "${20}"
}

process_started() {
    fleet_ticks=$(process_id "$1")
    fleet_boot=$(sed -n 's/^btime //p' "$root/proc/stat" 2>/dev/null) || :
    fleet_rate=$(getconf CLK_TCK 2>/dev/null) || fleet_rate=100
    if [ -n "$fleet_ticks" ] && [ -n "$fleet_boot" ]; then
        printf '%s' "$((fleet_boot + ${fleet_ticks#*:} / fleet_rate))"
    fi
}

# The shell's own kill would reach a process of this machine from a lab's root: there a stub does it.
end_process() {
    [ -n "$1" ] && [ "$(process_id "${1%:*}")" = "$1" ] || return 0
    if [ -n "$root" ]; then env kill -TERM "${1%:*}"; else kill -TERM "${1%:*}"; fi
}

service_find() {
    service='' manager=''
    for fleet_name in "$@"; do
        fleet_kind=$(fleet_service_kind "$fleet_name") || continue
        service=$fleet_name manager=$fleet_kind
        return 0
    done
    return 1
}

# systemd counts only where it is the running init: in a chroot systemctl is there and does nothing.
fleet_service_kind() {
    if [ -d "$root/run/systemd/system" ] && command -v systemctl >/dev/null 2>&1; then
        case $(run_native 20 systemctl show -p LoadState "$1.service" 2>/dev/null) in
            LoadState=not-found | '') ;;
            LoadState=*) printf systemd; return 0 ;;
        esac
    fi
    if [ -x "$root/etc/init.d/$1" ]; then
        if [ -d "$root/run/openrc" ] && command -v rc-service >/dev/null 2>&1; then
            printf openrc
        elif [ ! -d "$root/run/systemd/system" ]; then
            printf sysv
        else
            return 1
        fi
        return 0
    fi
    return 1
}

service_look() {
    service_active=unknown service_enabled=unknown service_pid=0 service_condition=yes
    case $manager in
        '') ;;
        systemd) fleet_look_systemd ;;
        *)
            service_active=inactive
            ! service_act status 20 >/dev/null 2>&1 || service_active=active
            service_enabled=no
            for fleet_link in "$root/etc/runlevels/default/$service" \
                "$root"/etc/rc[2-5].d/S[0-9][0-9]"$service" \
                "$root"/etc/rc.d/rc[2-5].d/S[0-9][0-9]"$service"; do
                [ ! -e "$fleet_link" ] || service_enabled=yes
            done
            ;;
    esac
}

fleet_look_systemd() {
    fleet_unasked=0
    for fleet_line in $(run_native 20 systemctl show -p LoadState -p ActiveState -p UnitFileState \
        -p MainPID -p ConditionResult -p ConditionTimestampMonotonic "$service.service"); do
        case $fleet_line in
            ActiveState=?*) service_active=${fleet_line#*=} ;;
            MainPID=?*) service_pid=${fleet_line#*=} ;;
            ConditionResult=?*) service_condition=${fleet_line#*=} ;;
            ConditionTimestampMonotonic=0) fleet_unasked=1 ;; # no start was tried, so none was refused
            LoadState=masked | UnitFileState=masked*) service_enabled=masked ;;
            UnitFileState=enabled*) service_enabled=yes ;;
            UnitFileState=disabled | UnitFileState=indirect) service_enabled=no ;;
        esac
    done
    [ "$fleet_unasked" = 0 ] || service_condition=yes
}

# A SysV script starts the daemon itself: it must inherit neither our umask nor our output, which the
# daemon would hold open, so the output goes to the log only after the script has ended.
service_act() {
    case $manager:$1 in
        systemd:*) run_native "$2" systemctl "$1" "$service.service" ;;
        openrc:enable) run_native "$2" rc-update add "$service" default ;;
        sysv:enable)
            if command -v update-rc.d >/dev/null 2>&1; then
                run_native "$2" update-rc.d "$service" defaults &&
                    run_native "$2" update-rc.d "$service" enable
            else
                run_native "$2" chkconfig "$service" on
            fi
            ;;
        *:unmask | *:reset-failed) ;;
        openrc:*) fleet_quietly "$2" rc-service "$service" "$1" ;;
        sysv:*)
            if command -v service >/dev/null 2>&1; then
                fleet_quietly "$2" service "$service" "$1"
            else
                fleet_quietly "$2" "$root/etc/init.d/$service" "$1"
            fi
            ;;
    esac
}

fleet_quietly() {
    fleet_words=$(mktemp) || fleet_words=/dev/null
    fleet_quiet=0
    (umask 022 && run_native "$@") >"$fleet_words" 2>&1 || fleet_quiet=$?
    [ "$fleet_words" = /dev/null ] || { cat "$fleet_words"; rm -f "$fleet_words"; }
    return "$fleet_quiet"
}

# --- the Azure Linux agent --------------------------------------------------------------------------
# Facts from Azure/WALinuxAgent 2.7.3.0 as Debian packages it, and from its init folder.

waagent_conf=$root/etc/waagent.conf
waagent_log=$root/var/log/waagent.log
waagent_python='([^ ]*python[^ /]*( -[^ ]+)* )?'
waagent_daemon="^[0-9]+ $waagent_python([^ ]*/)?waagent(2\.0)?( [^ ]+)* [-/]*daemon( |\$)"

# Looks at the agent once. Sets
#   $service $manager $service_*   as service_find and service_look do; $service may be empty
#   $waagent_pids       process ids of daemons ("waagent -daemon"; the first words may be python's)
#   $waagent_ids        the same as PID:START
#   $waagent_log_age    seconds since the log was written, empty where there is none
#   $waagent_fault      what is wrong, in one sentence; empty where nothing is
# MAX_LOG_AGE: seconds of silence that count as hung; 0: any.
waagent_look() {
    service_find walinuxagent waagent || : # Debian, Ubuntu and Kali; everybody else
    service_look
    waagent_pids=$(processes '[w]aagent' | grep -E "$waagent_daemon" | cut -d ' ' -f 1 | tr '\n' ' ') || :
    waagent_pids=${waagent_pids% }
    waagent_ids=
    for waagent_pid in $waagent_pids; do
        waagent_ids="$waagent_ids${waagent_ids:+ }$(process_id "$waagent_pid")"
    done
    waagent_log_age=
    waagent_written=$(date -r "$waagent_log" +%s 2>/dev/null) &&
        waagent_log_age=$(($(date +%s) - waagent_written))
    waagent_judge "$1"
}

waagent_judge() {
    waagent_fault=
    if [ -z "$service$waagent_pids" ] && ! command -v waagent >/dev/null 2>&1; then
        waagent_fault="is not installed: no service walinuxagent or waagent, no program waagent"
    elif [ -e "$root/var/lib/waagent/disable_agent" ]; then
        waagent_fault="is disabled by /var/lib/waagent/disable_agent; remove that file if it should run"
    elif [ -z "$waagent_pids" ]; then
        waagent_fault="does not run$(waagent_why_not)"
    elif [ "$waagent_pids" != "${waagent_pids% *}" ]; then
        waagent_fault="runs more than once (pids $waagent_pids)"
    elif [ -z "$service" ]; then
        waagent_fault="runs as pid $waagent_pids, but no service walinuxagent or waagent starts it"
    elif [ "$service_enabled" = no ] || [ "$service_enabled" = masked ]; then
        waagent_fault="runs as pid $waagent_pids, but won't after a reboot: $service is $(waagent_autostart)"
    elif [ "$1" -gt 0 ] && [ "${waagent_log_age:-0}" -gt "$1" ] &&
        [ "$(waagent_switch Extensions.Enabled y)" = y ]; then
        waagent_fault="runs as pid $waagent_pids, but has logged nothing for $waagent_log_age s"
    fi
}

waagent_autostart() {
    if [ "$service_enabled" = masked ]; then printf masked; else printf 'not enabled'; fi
}

waagent_why_not() {
    if [ -z "$service" ]; then
        printf ', and there is no service walinuxagent or waagent'
    elif [ "$service_enabled" = masked ]; then
        printf ': %s is masked' "$service"
    elif [ "$service_condition" = no ]; then
        printf ': a condition of the unit %s is not met, as off Azure (ConditionVirtualization=microsoft)' \
            "$service"
    else
        printf ' (%s is %s)' "$service" "$service_active"
    fi
}

# Prints what shows that a backup is being taken; nothing otherwise. A restart of the agent then would
# leave it half done. safefreeze holds the file systems; handle.sh is the VMSnapshot extension at work,
# while its handle_host_daemon is always there; the freezer holds a lock on its file while it works.
waagent_backup() {
    # In two steps: a program beside the search that has the word in its own arguments would be found.
    waagent_hits=$(processes '[s]afefreeze')
    [ -z "$waagent_hits" ] || printf 'safefreeze runs (pid %s)\n' "${waagent_hits%% *}"
    waagent_hits=$(processes '[V]MSnapshotLinux')
    waagent_hits=$(printf '%s\n' "$waagent_hits" | grep -E 'main/handle\.(sh|py)') || :
    [ -z "$waagent_hits" ] || printf 'the VMSnapshot extension is at work (pid %s)\n' "${waagent_hits%% *}"
    waagent_lock=$root/etc/azure/MicrosoftRecoverySvcsSafeFreezeLock/SafeFreezeLockFile
    if [ -e "$waagent_lock" ]; then
        waagent_inode=$(ls -i "$waagent_lock")
        ! grep -qs ":${waagent_inode%% *} " "$root/proc/locks" || printf 'the freezer holds its lock\n'
    fi
}

# Ends the snippet where the agent should not or can't be restarted. After waagent_look.
waagent_guard() {
    if [ -z "$service" ] || [ -e "$root/var/lib/waagent/disable_agent" ]; then
        fail "the Azure Linux agent $waagent_fault; nothing was done"
    fi
    waagent_sign=$(waagent_backup)
    [ -n "$waagent_sign" ] || return 0
    data_list held "a backup is being taken: $waagent_sign"
    skip "held: a backup is being taken: $waagent_sign. Nothing was done; try again when it has ended"
}

# Prints the value in force of KEY in waagent.conf, as the agent reads it: lines that begin with # do not
# count, the last of several does, the value ends at a #, None is no value (azurelinuxagent/common/conf.py).
waagent_setting() {
    awk -v wanted="$1" '
        !/^#/ && (at = index($0, "=")) {
            key = substr($0, 1, at - 1); value = substr($0, at + 1)
            gsub(/^[ \t\r]+|[ \t\r]+$/, "", key)
            sub(/#.*/, "", value); gsub(/^[" ]+|[" ]+$/, "", value); gsub(/^[ \t\r]+|[ \t\r]+$/, "", value)
            if (key == wanted) found = value
        }
        END { if (found != "None") printf "%s", found }
    ' "$waagent_conf"
}

# Prints y or n: the value in force of a switch, or DEFAULT where it is neither.
waagent_switch() {
    case $(waagent_setting "$1") in
        [yY]) printf y ;;
        [nN]) printf n ;;
        *) printf '%s' "$2" ;;
    esac
}

# Filters waagent.conf so that KEY has VALUE: every line that sets it is given the value, spelling and line
# end kept; where none does, one is added below the line that has it commented out, or else at the end.
waagent_with() {
    awk -v wanted="$1" -v value="$2" '
        function key_of(line) {
            line = substr(line, 1, index(line, "=") - 1)
            gsub(/^[ \t]+|[ \t]+$/, "", line)
            return line
        }
        { line[NR] = $0; cr[NR] = sub(/\r$/, "", line[NR]) ? "\r" : "" }
        index(line[NR], "=") {
            if (line[NR] !~ /^#/) { if (key_of(line[NR]) == wanted) { sets[NR] = 1; found = 1 } }
            else { bare = line[NR]; sub(/^[# \t]+/, "", bare); if (key_of(bare) == wanted) place = NR }
        }
        END {
            if (!found && !place) place = NR
            for (i = 1; i <= NR; i++) {
                if (sets[i]) line[i] = substr(line[i], 1, index(line[i], "=")) value
                printf "%s%s\n", line[i], cr[i]
                if (!found && i == place) printf "%s=%s%s\n", wanted, value, cr[i]
            }
            if (!NR) printf "%s=%s\n", wanted, value
        }
    '
}

# Whether the running daemon was started before waagent.conf was last written, so has not read it.
waagent_unread() {
    [ -n "$waagent_pids" ] || return 1
    waagent_since=$(process_started "${waagent_pids%% *}")
    waagent_written=$(date -r "$waagent_conf" +%s)
    # Two seconds of grace: the start is known to the second only, and the boot time moves by one.
    [ -z "$waagent_since" ] || [ "$waagent_written" -gt $((waagent_since + 2)) ]
}

waagent_hint_unread() {
    ! waagent_unread || printf ', but the agent has not been restarted since the file was written'
}

# Restarts the agent and judges by its process and its log. START, SETTLE: seconds that a new daemon may
# take to appear, and that it then has to stay. Sets $waagent_fault, empty when all went well.
# Call it after waagent_look; $waagent_ids is then what runs afterwards.
waagent_restart() {
    waagent_old=$waagent_ids
    waagent_size=$(wc -c <"$waagent_log" 2>/dev/null) || waagent_size=0
    waagent_file=$(ls -i "$waagent_log" 2>/dev/null) || waagent_file=
    waagent_status=0
    service_act restart 60 || waagent_status=$?
    note "restart of $service by $manager: status $waagent_status"
    if waagent_old_there; then
        # SysV scripts restart with status 0 and leave a daemon whose pid file does not fit.
        note "the old daemon ($waagent_old) is still there: stop, end it, start"
        service_act stop 60 || :
        for waagent_id in $waagent_old; do end_process "$waagent_id" || :; done
        waagent_wait "$1" waagent_old_gone || :
        service_act start 60 || waagent_status=$?
    fi
    waagent_wait "$1" waagent_one_new || :
    waagent_new=$waagent_ids
    if [ -n "$waagent_pids" ]; then
        sleep "$2"
    fi
    waagent_look 0
    [ -n "$waagent_fault" ] || waagent_judge_restart "$2"
}

waagent_judge_restart() {
    waagent_lines=$(waagent_new_lines)
    if waagent_old_there; then
        waagent_fault="is still the old process (pid $waagent_pids) after a restart (status $waagent_status)"
    elif [ "$waagent_ids" != "$waagent_new" ]; then
        waagent_fault="does not stay: a new process (now pid $waagent_pids) within $1 s after the restart"
    elif [ -z "$waagent_lines" ]; then
        waagent_fault="runs anew as pid $waagent_pids, but writes nothing to its log"
    fi
}

waagent_new_lines() {
    waagent_now=$(wc -c <"$waagent_log" 2>/dev/null) || waagent_now=0
    if [ "$waagent_now" -lt "$waagent_size" ] ||
        [ "$(ls -i "$waagent_log" 2>/dev/null)" != "$waagent_file" ]; then
        waagent_size=0 # the log was rotated meanwhile
    fi
    tail -c +"$((waagent_size + 1))" "$waagent_log" 2>/dev/null || :
}

# Whether one of the daemons of before is still there.
waagent_old_there() {
    for waagent_id in $waagent_old; do
        [ "$(process_id "${waagent_id%:*}")" != "$waagent_id" ] || return 0
    done
    return 1
}

waagent_old_gone() {
    ! waagent_old_there
}

waagent_one_new() {
    waagent_look 0
    [ -n "$waagent_pids" ] && ! waagent_old_there
}

# Looks once a second until COMMAND is true, for SECONDS at most.
waagent_wait() {
    waagent_left=$1
    until "$2"; do
        [ "$waagent_left" -gt 0 ] || return 1
        waagent_left=$((waagent_left - 1))
        sleep 1
    done
}

# Prints Restart= of the unit $service as systemd has it in force.
waagent_restart_policy() {
    fleet_policy=$(run_native 20 systemctl show -p Restart "$service.service") || return 1
    printf '%s' "${fleet_policy#Restart=}"
}

# Prints the path of fleet's drop-in for the unit SERVICE, which has the text of waagent_drop_in_text.
waagent_drop_in() {
    printf '%s' "$root/etc/systemd/system/$1.service.d/fleet-restart.conf"
}

waagent_drop_in_text() {
    printf '# Written by fleet (set-waagent-auto-restart)\n[Service]\nRestart=always\nRestartSec=5\n'
}

# Looks for the agent's package: sets $package_manager (apt, dnf, yum, zypper), $package, its name here, and
# $package_version, empty where it is not installed. Status 1 where there is no manager of packages.
# Names of the packages: Azure/WALinuxAgent, README; Debian's package walinuxagent.
waagent_package() {
    package_version=
    if command -v apt-get >/dev/null 2>&1; then
        package_manager=apt package=walinuxagent
        # Debian's own package has another name than Ubuntu's: packages.debian.org/bookworm/waagent
        ! grep -Eqs '^ID="?(debian|kali)"?$' "$root/etc/os-release" || package=waagent
        for fleet_name in "$package" waagent walinuxagent; do
            # shellcheck disable=SC2016 # dpkg-query's own placeholders
            package_version=$(run_native 30 dpkg-query -W -f '${db:Status-Status} ${Version}' "$fleet_name" 2>/dev/null) || :
            case $package_version in
                'installed '*)
                    package=$fleet_name package_version=${package_version#installed }
                    return 0
                    ;;
            esac
        done
        package_version=
        return 0
    fi
    package_manager='' package=WALinuxAgent
    for fleet_name in zypper dnf yum; do
        [ -n "$package_manager" ] || ! command -v "$fleet_name" >/dev/null 2>&1 || package_manager=$fleet_name
    done
    [ "$package_manager" != zypper ] || package=python-azure-agent
    [ -n "$package_manager" ] || return 1
    package_version=$(run_native 30 rpm -q --qf '%{VERSION}-%{RELEASE}' "$package" 2>/dev/null) || package_version=
}

# Prints the version that the repositories have for $package, where it is newer than the installed one. Status
# 1 where they can't be asked. Nothing of it is a translated word: status, package and attribute names.
waagent_newer() {
    fleet_status=0
    case $package_manager in
        apt)
            fleet_newer=$(run_native 60 apt-get -qq -s install --only-upgrade "$package" 2>/dev/null) || return 1
            printf '%s\n' "$fleet_newer" | sed -n "s/^Inst $package \\[[^]]*\\] (\\([^ )]*\\).*/\\1/p"
            ;;
        zypper)
            fleet_newer=$(run_native 180 zypper -n -x list-updates 2>/dev/null) || return 1
            printf '%s\n' "$fleet_newer" | tr '>' '\n' |
                sed -n "s/.*<update .*name=\"$package\".* edition=\"\\([^\"]*\\)\".*/\\1/p"
            ;;
        *)
            fleet_newer=$(run_native 180 "$package_manager" -q check-update "$package" 2>/dev/null) || fleet_status=$?
            case $fleet_status in
                0) ;;
                100) printf '%s\n' "$fleet_newer" | awk -v name="$package." 'index($1, name) == 1 { print $2; exit }' ;;
                *) return 1 ;;
            esac
            ;;
    esac
}

# Sets $selinux_mode; status 1 where SELinux is not in use.
waagent_selinux() {
    [ -e "$root/sys/fs/selinux/enforce" ] || return 1
    case $(cat "$root/sys/fs/selinux/enforce") in
        1) selinux_mode=enforcing ;;
        *) selinux_mode=permissive ;;
    esac
}

# Compares the labels below /var/lib/waagent with the policy: sets $labels, one line a file that has another
# (without those an admin chose, which restorecon leaves as well), and $labels_wrong, their number. Status 1,
# and $labels_problem set, where that can't be done.
waagent_labels() {
    if ! command -v restorecon >/dev/null 2>&1; then
        labels_problem="restorecon is missing (package policycoreutils)"
        return 1
    fi
    labels=$(run_native 60 restorecon -Rnv "$root/var/lib/waagent" 2>/dev/null) || {
        labels_problem="restorecon failed"
        return 1
    }
    labels=$(printf '%s\n' "$labels" | grep -v 'not reset') || :
    labels_wrong=$(printf '%s' "$labels" | grep -c .) || :
}

# Adds the first NUMBER of these lines to the data as KEY.
waagent_label_data() {
    if [ "$labels_wrong" = 0 ]; then
        data_list "$1" </dev/null
    else
        data_list "$1" <<TEXT
$(printf '%s\n' "$labels" | sed "$2q")
TEXT
    fi
}

# --- the frame --------------------------------------------------------------------------------------
# Processes: the frame's subshell (supervisor) starts a watcher in the background and runs the snippet in
# a second subshell (body). The body answers from its EXIT trap and then ends with 99; after any other
# status the supervisor answers. At the deadline the watcher stops the body (SIGSTOP, so that it goes on
# with nothing), ends what the body started, and wakes the body with SIGALRM to answer with what it has.
# What has put itself into a session of its own, as daemons do, is not ended.

fleet_run() {
    fleet_began=$(fleet_time)
    if ! command -v awk >/dev/null 2>&1; then
        printf '\n{"fleet":1,"nonce":"%s","outcome":"failed","message":"%s","data":{},"seconds":0}\n' \
            "$fleet_nonce" "awk is missing here, and answers can't be written without it"
        return
    fi
    fleet_define="fleet_body() { $fleet_text
:
}"
    if ! fleet_message=$(eval "$fleet_define" 2>&1); then
        fleet_outcome=broken
        fleet_message="can't be parsed: $fleet_message"
        fleet_answer
        return
    fi
    fleet_self
    fleet_supervisor=$fleet_pid
    fleet_watch </dev/null >/dev/null 2>&1 &
    fleet_watcher=$!
    trap : HUP INT TERM # the body answers to these
    (fleet_perform)
    fleet_status=$?
    kill -USR1 "$fleet_watcher" 2>/dev/null
    [ "$fleet_status" -ne 99 ] || return 0
    wait "$fleet_watcher"
    fleet_rang=$?
    fleet_outcome=failed
    fleet_message="the script's shell was ended (status $fleet_status)"
    if [ "$fleet_rang" -eq 3 ]; then
        fleet_outcome=timed_out
        fleet_message="stopped after $fleet_timeout s; it had to be killed, so what it saw is lost"
    fi
    fleet_answer
}

fleet_perform() {
    trap fleet_finish EXIT
    trap 'fleet_stop HUP' HUP
    trap 'fleet_stop INT' INT
    trap 'fleet_stop TERM' TERM
    trap 'fleet_stop ALRM' ALRM
    trap : PIPE # a connection that is gone must not stop a remedy in the middle
    fleet_ended_by='' fleet_finishing=0
    eval "$fleet_define"
    fleet_self
    fleet_own=$fleet_pid
    FLEET_BODY=.$fleet_supervisor.
    export FLEET_BODY
    fleet_assign
    set -eu
    fleet_body
}

fleet_stop() {
    fleet_ended_by=$1
    # Not by `exit`, from which mksh does not get to the EXIT trap when it is in a signal's trap.
    [ "$fleet_finishing" = 1 ] || fleet_finish
}

fleet_finish() {
    # shellcheck disable=SC2319 # of whatever ended the body
    fleet_status=$?
    fleet_finishing=1
    set +eu
    fleet_self
    if [ "$fleet_pid" != "$fleet_own" ]; then
        # bash runs this also in a subshell that a signal ends before it has forgotten its parent's traps.
        trap - EXIT
        exit "$fleet_status"
    fi
    : # a signal that is still pending speaks here: dash looks at errexit before it looks at traps
    trap '' HUP INT TERM ALRM
    trap - EXIT
    if [ "$fleet_ended_by" = ALRM ]; then
        fleet_outcome=timed_out
        fleet_message="stopped after $fleet_timeout s${fleet_done:+; done before that: $fleet_done}"
    elif [ -n "$fleet_ended_by" ]; then
        fleet_outcome=failed
        fleet_message="stopped by signal $fleet_ended_by${fleet_done:+; done before that: $fleet_done}"
    elif [ "$fleet_status" -ne 0 ] && [ "$fleet_outcome" != failed ]; then
        fleet_outcome=failed
        fleet_message="a command failed (status $fleet_status)${fleet_done:+; done before that: $fleet_done}"
    fi
    fleet_answer
    exit 99
}

fleet_answer() {
    [ -z "$fleet_undo" ] || fleet_data=${fleet_data:+$fleet_data,}'"undo":{'$fleet_undo'}'
    printf '\n{"fleet":1,"nonce":"%s","outcome":"%s","message":%s,"data":{%s},"seconds":%s}\n' \
        "$fleet_nonce" "$fleet_outcome" "$(fleet_json "$fleet_message")" "$fleet_data" "$(fleet_seconds)"
}

# Hundredths of a second since boot, or whole seconds of the wall clock where there is no /proc.
fleet_time() {
    if { read -r fleet_up fleet_line </proc/uptime; } 2>/dev/null; then
        printf '%s' "$((${fleet_up%.*} * 100 + 1${fleet_up#*.} - 100))"
    else
        printf '%s00' "$(date +%s)"
    fi
}

fleet_seconds() {
    fleet_took=$(($(fleet_time) - fleet_began))
    [ "$fleet_took" -ge 0 ] || fleet_took=0
    printf '%s.%s' "$((fleet_took / 100))" "$((fleet_took / 10 % 10))$((fleet_took % 10))"
}

# Sets $fleet_pid to the process id of the very shell that calls it, which $$ is not in a subshell.
fleet_self() {
    { read -r fleet_pid fleet_line </proc/self/stat; } 2>/dev/null ||
        fleet_pid=$(exec sh -c 'printf %s "$PPID"')
}

fleet_watch() {
    fleet_code=0
    fleet_sleep "$fleet_timeout"
    fleet_self
    fleet_watcher=$fleet_pid fleet_subject='' fleet_watched=0
    fleet_scan
    # shellcheck disable=SC2086 # four words for each process
    set -- $fleet_table
    while [ $# -ge 4 ]; do
        case $2:$1 in
            "$fleet_supervisor:$fleet_watcher") fleet_watched=1 ;;
            "$fleet_supervisor":*) fleet_subject=$1 ;;
        esac
        shift 4
    done
    [ "$fleet_watched" = 1 ] && [ -n "$fleet_subject" ] && kill -STOP "$fleet_subject" || exit 0
    fleet_end "$fleet_subject" spare
    fleet_code=3
    trap 'exit 3' USR1
    kill -ALRM "$fleet_subject"
    kill -CONT "$fleet_subject"
    fleet_sleep 10
    kill -KILL "$fleet_subject"
    exit 3
}

# For background subshells: returns after SECONDS, deaf to SIGUSR1; before that SIGUSR1 ends the subshell
# and the sleep with it, so that nothing outlives what was watched. Nobody else traps SIGUSR1, so one that
# comes before the trap is set ends the subshell too; a SIGTERM then would be lost in dash, in which a new
# subshell still has its parent's trap for a moment.
fleet_sleep() {
    set +euf
    unset IFS
    trap 'kill -KILL "$!" 2>/dev/null; exit "$fleet_code"' USR1
    sleep "$1" &
    wait "$!"
    trap '' USR1
}

# Ends PID and everything below it; with `spare` not PID itself, but also what this body started that has
# lost its parent. SIGTERM first, SIGKILL for what is still there two seconds later.
fleet_end() {
    fleet_scan
    fleet_below "$1"
    if [ "${2-}" = spare ]; then
        fleet_orphans
        fleet_found=${fleet_found#" $1"}
    fi
    fleet_end_found && return
    fleet_stubborn=$fleet_found
    fleet_scan
    fleet_below "$1"
    [ "${2-}" != spare ] || fleet_found=${fleet_found#" $1"}
    # shellcheck disable=SC2086
    kill -KILL $fleet_stubborn $fleet_found
}

# Status 1 where something is still there two seconds later.
fleet_end_found() {
    # shellcheck disable=SC2086 # a list of process ids
    kill -TERM $fleet_found
    fleet_tries=20
    while [ "$fleet_tries" -gt 0 ] && fleet_any_alive; do
        fleet_tries=$((fleet_tries - 1))
        sleep 0.1 || sleep 1
    done
    [ "$fleet_tries" -gt 0 ]
}

# Sets $fleet_table to "PID PARENT STATE SESSION " of every process, without starting one.
fleet_scan() {
    fleet_table=
    if [ ! -r /proc/self/stat ]; then
        fleet_table=$(ps -A -o pid= -o ppid= -o stat= |
            awk '{ printf "%s %s %s 0 ", $1, $2, substr($3, 1, 1) }')
        return
    fi
    for fleet_file in /proc/[0-9]*/stat; do
        { read -r fleet_line <"$fleet_file"; } 2>/dev/null || continue
        fleet_pid=${fleet_line%% *}
        # shellcheck disable=SC2086 # the fields after the name, which may hold anything
        set -- ${fleet_line##*) }
        [ $# -lt 4 ] || fleet_table="$fleet_table$fleet_pid $2 $1 $4 "
    done
}

# Sets $fleet_found to " PID " and what lives below it in the table.
fleet_below() {
    fleet_found=" $1 "
    fleet_before=
    while [ "$fleet_before" != "$fleet_found" ]; do
        fleet_before=$fleet_found
        # shellcheck disable=SC2086 # four words for each process
        set -- $fleet_table
        while [ $# -ge 4 ]; do
            case $fleet_found in
                *" $1 "*) ;;
                *" $2 "*) [ "$3" = Z ] || fleet_found="$fleet_found$1 " ;;
            esac
            shift 4
        done
    done
}

# Adds to $fleet_found what carries this body's mark, or another, in its environment and is of our session.
fleet_orphans() {
    fleet_marked "FLEET_BODY=.$fleet_supervisor."
}

fleet_marked() {
    fleet_mark=$1
    { read -r fleet_line </proc/self/stat; } 2>/dev/null || return 0
    # shellcheck disable=SC2086
    set -- ${fleet_line##*) }
    fleet_session=$4
    # shellcheck disable=SC2013 # no -F, with which grep of busybox looks at nothing behind a NUL
    for fleet_file in $(grep -l -- "$fleet_mark" /proc/[0-9]*/environ); do
        fleet_process=${fleet_file%/environ}
        { read -r fleet_line <"$fleet_process/stat"; } || continue
        # shellcheck disable=SC2086
        set -- ${fleet_line##*) }
        [ "$4" != "$fleet_session" ] || fleet_found="$fleet_found${fleet_process##*/} "
    done
}

fleet_any_alive() {
    for fleet_pid in $fleet_found; do
        if [ -r /proc/self/stat ]; then
            { read -r fleet_line <"/proc/$fleet_pid/stat"; } || continue
            case ${fleet_line##*) } in Z*) continue ;; esac
            return 0
        fi
        ! kill -0 "$fleet_pid" || return 0
    done
    return 1
}

#!/bin/sh
# /// fleet
# kind = "check"
# title = "Every file system can be frozen for a consistent snapshot"
# about = "Mount points that stand twice, file systems with errors, loop devices, network mounts that do not answer; without those that MountsToSkip leaves out."
# severity = "error"
# timeout = 300
# needs = ["root"]
#
# [params.network_seconds]
# type = "int"
# default = 5
# minimum = 1
# maximum = 60
# about = "How long a network mount may take to answer"
#
# [returns.looked]
# type = "int"
# about = "How many mounts were looked at"
#
# [returns.skipped]
# type = "list"
# about = "Mount points that MountsToSkip of /etc/azure/vmbackup.conf leaves out"
#
# [returns.problems]
# type = "list"
# about = "Each mount point that is in the way, with what is wrong with it"
#
# [returns.log]
# type = "list"
# about = "Last lines of the extension's log about mount points that could not be frozen"
# ///
: "${network_seconds:?}"

require_root
[ -r "$root/proc/mounts" ] || skip "there is no /proc/mounts here"
extension_log=$root/var/log/azure/Microsoft.Azure.RecoveryServices.VMSnapshotLinux/extension.log

# The extension's own list of what it leaves out: [SnapshotThread] MountsToSkip = /a,/b
skipped=$(awk -F = '
    /^[ \t]*\[/ { inside = tolower($0) ~ /\[snapshotthread\]/ }
    inside && tolower($1) ~ /^[ \t]*mountstoskip[ \t]*$/ {
        count = split($2, names, ",")
        for (i = 1; i <= count; i++) { gsub(/^[ \t\r]+|[ \t\r]+$/, "", names[i]); if (names[i] != "") print names[i] }
    }
' "$root/etc/azure/vmbackup.conf" 2>/dev/null) || :

is_skipped() {
    printf '%s\n' "$skipped" | grep -Fqx -- "$1"
}

problems=
problem() {
    problems=$problems${problems:+"
"}$1
}

# The name of a device as /sys knows it: sda1, dm-0.
kernel_name() {
    device=$(readlink -f "$1" 2>/dev/null) || device=$1
    printf '%s' "${device##*/}"
}

look_at_local() {
    case $1 in
        /dev/loop*) problem "$2: is on a loop device, whose file lies on another file system ($1)" ;;
    esac
    case $3 in
        ext[234]) look_at_ext "$1" "$2" ;;
    esac
}

look_at_ext() {
    errors=$(cat "$root/sys/fs/ext4/$(kernel_name "$1")/errors_count" 2>/dev/null) || errors=0
    state=
    if command -v tune2fs >/dev/null 2>&1; then
        state=$(run_native 20 tune2fs -l "$1" 2>/dev/null | sed -n 's/^Filesystem state: *//p') || :
    fi
    # e2fsprogs does not translate these words; a mounted file system without errors says clean.
    case $state in
        clean | '') [ "$errors" = 0 ] || problem "$2: $errors errors of the file system since the last check ($1)" ;;
        *) problem "$2: the file system is marked \"$state\" ($1)" ;;
    esac
}

look_at_network() {
    run_native "$network_seconds" stat -f "$root$2" >/dev/null 2>&1 && return
    problem "$2: the server of this network mount does not answer within $network_seconds s ($1)"
}

looked=0 seen=
while read -r source target type rest; do
    # Blanks and backslashes stand there as \040 and the like (proc(5)).
    target=$(printf '%b' "$(printf '%s' "$target" | sed 's/\\\([0-7][0-7][0-7]\)/\\0\1/g')")
    case $type in
        ext[234] | xfs | btrfs | nfs | nfs4 | cifs | smb3) ;;
        *) continue ;;
    esac
    looked=$((looked + 1))
    ! is_skipped "$target" || continue
    case $type in
        nfs* | cifs | smb3) look_at_network "$source" "$target" ;;
        *)
            if printf '%s\n' "$seen" | grep -Fqx -- "$target"; then
                problem "$target: is mounted more than once"
            fi
            seen="$seen
$target"
            look_at_local "$source" "$target" "$type"
            ;;
    esac
done <"$root/proc/mounts"

list() {
    if [ -n "$2" ]; then
        data_list "$1" <<TEXT
$2
TEXT
    else
        data_list "$1" </dev/null
    fi
}

data_int looked "$looked"
list skipped "$skipped"
list problems "$problems"
list log "$(grep -E 'Failed to (FITHAW|FIFREEZE)' "$extension_log" 2>/dev/null | tail -n 5)"

[ "$looked" -gt 0 ] || skip "no file system here is of a kind that is frozen"
[ -z "$problems" ] || fail "$(printf '%s\n' "$problems" | sed 1q)$(
    more=$(printf '%s\n' "$problems" | grep -c .)
    [ "$more" = 1 ] || printf ' (and %s more)' "$((more - 1))"
)"
ok "$looked file systems looked at, none in the way"

#!/bin/sh
# /// fleet
# kind = "check"
# title = "SELinux lets the Azure Linux agent use /var/lib/waagent"
# about = "Labels below the folder against the policy, and denials since midnight that name the agent or its backup extension."
# severity = "error"
# timeout = 180
# needs = ["root"]
#
# [returns.mode]
# type = "str"
# about = "enforcing or permissive"
#
# [returns.wrong_labels]
# type = "list"
# about = "The first of the files whose label is not that of the policy"
#
# [returns.wrong]
# type = "int"
# about = "How many there are"
#
# [returns.denials]
# type = "int"
# about = "Denials since midnight; null where they can't be read"
#
# [returns.extension]
# type = "bool"
# about = "Whether the backup extension is installed"
# ///

require_root
waagent_selinux || skip "SELinux is not in use here"
[ -d "$root/var/lib/waagent" ] || skip "there is no /var/lib/waagent; the agent has not run here yet"
data mode "$selinux_mode"

extension=no
for folder in "$root"/var/lib/waagent/Microsoft.Azure.RecoveryServices.VMSnapshotLinux-*; do
    [ ! -d "$folder" ] || extension=yes
done
data_bool extension "$extension"

waagent_labels || fail "the labels can't be compared with the policy: $labels_problem"
data_int wrong "$labels_wrong"
waagent_label_data wrong_labels 20

denials=
if command -v ausearch >/dev/null 2>&1; then
    # It ends with 1 where it finds nothing; anything else but 0 leaves the number unknown.
    found=$(
        { run_native 60 ausearch -m AVC,USER_AVC -ts today 2>/dev/null || [ $? = 1 ] || printf 'INCOMPLETE\n'; } |
            grep -Ei 'waagent|VMSnapshot|^INCOMPLETE$'
    ) || :
    case $found in
        *INCOMPLETE) note "ausearch failed or took longer than 60 s" ;;
        *) denials=$(printf '%s' "$found" | grep -c .) || : ;;
    esac
fi
data_int denials "$denials"

if [ "$labels_wrong" -gt 0 ]; then
    fail "$labels_wrong files below /var/lib/waagent have another label than the policy wants"
elif [ "${denials:-0}" -gt 0 ] && [ "$selinux_mode" = enforcing ]; then
    fail "SELinux denied the agent or the backup extension something $denials times since midnight, labels being right"
fi
ok "$selinux_mode, labels as the policy wants them, ${denials:-unknown number of} denials since midnight"

#!/bin/sh
# /// fleet
# kind = "remedy"
# title = "Give the files below /var/lib/waagent the SELinux labels of the policy"
# about = "restorecon on that folder only. Neither the policy nor the mode of SELinux is changed."
# risk = "safe"
# idempotent = "yes"
# timeout = 300
# needs = ["root"]
# undo_note = "The labels that were there are in data.before; they were not those of the policy."
#
# [returns.before]
# type = "list"
# about = "What was found, one line a file: what restorecon says it changes"
#
# [returns.wrong]
# type = "int"
# about = "How many labels were wrong"
# ///

require_root
waagent_selinux || skip "SELinux is not in use here"
[ -d "$root/var/lib/waagent" ] || skip "there is no /var/lib/waagent; the agent has not run here yet"
waagent_labels || fail "the labels can't be compared with the policy: $labels_problem"
data_int wrong "$labels_wrong"
waagent_label_data before 500
if [ "$labels_wrong" = 0 ]; then
    ok "nothing to do: the labels are those of the policy"
    exit 0
fi
if [ "$check" = 1 ]; then
    changed "would restore the labels of $labels_wrong files below /var/lib/waagent"
    exit 0
fi
run_native 200 restorecon -R "$root/var/lib/waagent" || fail "restorecon failed; labels may be partly restored"
changed "restored the labels of $labels_wrong files below /var/lib/waagent"
waagent_labels || fail "the labels can't be compared with the policy: $labels_problem"
[ "$labels_wrong" = 0 ] || fail "$labels_wrong files below /var/lib/waagent have a wrong label all the same"

#!/bin/sh
# /// fleet
# kind = "collect"
# title = "Removes what was staged"
# about = "The folder with all that is in it; links are removed and not followed."
# idempotent = "yes"
# timeout = 60
# needs = ["root", "admin"]
#
# [params.stage]
# type = "str"
# required = true
# pattern = "[0-9a-z]{20}"
# about = "Name of the folder"
#
# [returns.removed]
# type = "bool"
# about = "Whether it was there"
# ///
: "${stage:?}"
require_root
folder=$root/var/tmp/fleet-collect-$stage
if [ ! -e "$folder" ] && [ ! -L "$folder" ]; then
    data_bool removed no
    ok "there is no $folder"
    exit 0
fi
# Another user can have put something there, and then nothing was staged; it is left to its owner.
if ! is_ours "$folder"; then
    data_bool removed no
    ok "$folder is not of fleet and was left alone"
    exit 0
fi
# A staging whose connection broke may still be writing; it ends when it sees that its folder is gone.
tries=5
until rm -rf "$folder" && [ ! -e "$folder" ]; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || fail "$folder could not be removed; remove it by hand"
done
data_bool removed yes
ok "removed $folder"

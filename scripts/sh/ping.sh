#!/bin/sh
# /// fleet
# kind = "check"
# title = "The guest answers, and says what it is"
# about = "What `fleet ping` runs: changes nothing, and sends a value back so that its way there and back can be compared."
# severity = "error"
# idempotent = "yes"
# timeout = 30
#
# [params.probe]
# type = "str"
# default = '''it's "quoted" $(not run) `nor this` %PATH% !x! \ ; | & < > * {{ }} #'''
# about = "Comes back in the data as it was sent"
#
# [returns.os]
# type = "str"
# about = "Name of the system as it calls itself"
# [returns.os_version]
# type = "str"
# about = "Version of Windows, or of the kernel"
# [returns.shell]
# type = "str"
# about = "What runs the scripts: PowerShell with its version, or the program behind sh"
# [returns.rights]
# type = "str"
# about = "administrator, root, sudo (without a password) or user"
# [returns.epoch]
# type = "int"
# about = "The guest's clock, seconds since 1970 UTC"
# [returns.language_mode]
# type = "str"
# about = "Language mode of PowerShell; empty elsewhere"
# [returns.probe]
# type = "str"
# about = "The value that was sent"
# ///
: "${root=}" "${probe=}"

name=$(sed -n 's/^PRETTY_NAME=//p' "$root/etc/os-release" 2>/dev/null | tr -d "\"'" | head -n 1) || :
[ -n "$name" ] || name=$(uname -s)
# what sh is: the interpreter of this very process, where /proc tells
program=$(readlink "/proc/$$/exe" 2>/dev/null) || :
program=${program##*/}
rights=user
if [ "$(id -u)" = 0 ]; then
    rights=root
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    rights=sudo
fi
data os "$name"
data os_version "$(uname -r)"
data shell "${program:-sh}"
data rights "$rights"
data_int epoch "$(date -u +%s)"
data language_mode ''
data probe "$probe"
ok "$name, ${program:-sh}, $rights"

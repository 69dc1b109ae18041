#!/bin/sh
# /// fleet
# kind = "collect"
# title = "Sends a part of what was staged"
# about = "Writes exactly these bytes of the pack to stdout, as they are or as lines of base64, and nothing else."
# timeout = 1800
# needs = ["root", "admin"]
#
# [params.stage]
# type = "str"
# required = true
# pattern = "[0-9a-z]{20}"
# about = "Name of the folder"
# [params.offset]
# type = "int"
# required = true
# minimum = 0
# maximum = 1099511627776
# about = "Where the part begins"
# [params.length]
# type = "int"
# required = true
# minimum = 0
# maximum = 1099511627776
# about = "Bytes of it; the pack may end earlier"
# [params.encoding]
# type = "str"
# default = "raw"
# choices = ["raw", "base64"]
# about = "How they are written"
#
# [returns.sha256]
# type = "str"
# about = "Of the bytes, before they were encoded, in small letters"
# [returns.size]
# type = "int"
# about = "How many bytes it were, before they were encoded"
# ///
: "${stage:?}" "${offset:?}" "${length:?}" "${encoding:?}"
require_root
pack=$root/var/tmp/fleet-collect-$stage/pack
is_ours "${pack%/*}" && [ -f "$pack" ] && [ ! -L "$pack" ] || fail "what was staged as $stage is not there"
size=$(($(part "$offset" "$length" <"$pack" | wc -c)))
if command -v sha256sum >/dev/null 2>&1; then
    sha256=$(part "$offset" "$length" <"$pack" | sha256sum)
else
    sha256=$(part "$offset" "$length" <"$pack" | openssl dgst -sha256 -r 2>/dev/null) || :
fi
[ "${#sha256}" -ge 64 ] || fail "neither sha256sum nor openssl is here, and what is sent could not be compared"
# What programs have to say must not get between the bytes.
case $encoding in
    raw) part "$offset" "$length" <"$pack" 2>/dev/null ;;
    *)
        if command -v base64 >/dev/null 2>&1; then
            part "$offset" "$length" <"$pack" | base64 2>/dev/null
        else
            part "$offset" "$length" <"$pack" | openssl base64 2>/dev/null
        fi
        ;;
esac
data sha256 "${sha256%% *}"
data_int size "$size"
ok "$size bytes"

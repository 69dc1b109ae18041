#!/bin/sh
# /// fleet
# kind = "check"
# title = "The wire server of the platform can be reached"
# about = "Tries a connection to each port. Needs root: the Linux agent lets nobody else talk to the address."
# severity = "error"
# idempotent = "yes"
# timeout = 60
# needs = ["root", "admin"]
#
# [params.wire_server]
# type = "str"
# default = "168.63.129.16"
# pattern = '[0-9A-Za-z.:-]{1,253}'
# about = "Its address; it is the same in every region"
#
# [params.wire_ports]
# type = "list"
# default = ["80", "32526"]
# pattern = '[0-9]{1,5}'
# about = "TCP ports that have to answer"
#
# [params.connect_seconds]
# type = "int"
# default = 5
# minimum = 1
# maximum = 20
# about = "How long a connection may take"
#
# [returns.reached]
# type = "list"
# about = "Ports that accepted a connection"
#
# [returns.unreached]
# type = "list"
# about = "Ports that did not"
# ///
: "${wire_server:?}" "${wire_ports:?}" "${connect_seconds:?}"

require_root
reached='' unreached=''
for port in $wire_ports; do
    case $(tcp_answers "$wire_server" "$port" "$connect_seconds") in
        yes) reached="$reached $port" ;;
        no) unreached="$unreached $port" ;;
        *) skip "no connection can be tried here: python3, curl and bash are missing" ;;
    esac
done

ports() {
    # shellcheck disable=SC2086 # a list of numbers
    if [ -n "$2" ]; then data_list "$1" $2; else data_list "$1" </dev/null; fi
}
ports reached "$reached"
ports unreached "$unreached"
[ -z "$unreached" ] || fail "$wire_server does not answer on port$unreached"
ok "$wire_server answers on port$reached"

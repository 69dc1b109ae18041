#!/bin/sh
# /// fleet
# kind = "check"
# title = "The endpoints that a backup needs accept connections"
# about = "Those that the operator or the profile names. A connection is opened and closed; a proxy is not used."
# severity = "error"
# idempotent = "yes"
# timeout = 180
#
# [params.endpoints]
# type = "list"
# default = []
# pattern = '(?:\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z.-]{1,253}):[0-9]{1,5}'
# about = "HOST:PORT of each, at most 20 that do not answer fit into the time"
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
# about = "Endpoints that accepted a connection"
#
# [returns.unreached]
# type = "list"
# about = "Endpoints that did not"
# ///
: "${endpoints?}" "${connect_seconds:?}"

[ -n "$endpoints" ] || skip "no endpoint was named: -p endpoints=HOST:PORT,HOST:PORT"
reached='' unreached=''
for endpoint in $endpoints; do
    host=${endpoint%:*}
    host=${host#\[}
    case $(tcp_answers "${host%]}" "${endpoint##*:}" "$connect_seconds") in
        yes) reached="$reached $endpoint" ;;
        no) unreached="$unreached $endpoint" ;;
        *) skip "no connection can be tried here: python3, curl and bash are missing" ;;
    esac
done

list() {
    # shellcheck disable=SC2086 # of words without blanks
    if [ -n "$2" ]; then data_list "$1" $2; else data_list "$1" </dev/null; fi
}
list reached "$reached"
list unreached "$unreached"
[ -z "$unreached" ] || fail "no connection to$unreached"
ok "reached:$reached"

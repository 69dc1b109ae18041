#!/bin/sh
# /// fleet
# kind = "collect"
# title = "Puts what a bundle asks for into one compressed file, in a folder of its own"
# about = "Reads files, runs commands and queries logs, each within its limits; changes nothing but for the folder, which collect-clean removes. A record of the file pack begins with F NUMBER KIND SIZE PLAIN TAKEN CODE, with tabs between, then SIZE bytes of gzip; M NUMBER CODE says what is missing and why; E ends it."
# timeout = 1800
# needs = ["root", "admin"]
#
# [params.stage]
# type = "str"
# required = true
# pattern = "[0-9a-z]{20}"
# about = "Name of the folder, which must not be there"
# [params.files]
# type = "list"
# default = []
# about = "NUMBER, MAXBYTES and PATH, with tabs between; of a larger file the end is taken. In texts every byte outside 0x21-0x7e, and the percent sign, is %XX"
# [params.commands]
# type = "list"
# default = []
# about = "NUMBER, SECONDS, MAXBYTES, program and arguments; no shell reads them"
# [params.events]
# type = "list"
# default = []
# about = "NUMBER, MAXBYTES, LOG and PROVIDER:ID,ID;PROVIDER: and so on; none: all. On Linux the log is journal, and providers are units, or kernel"
# [params.since]
# type = "int"
# default = 0
# minimum = 0
# about = "Only events since then, seconds since 1970 UTC; 0: all"
# [params.room]
# type = "int"
# required = true
# minimum = 1
# maximum = 1099511627776
# about = "Bytes that the pack may have"
# [params.evtx]
# type = "bool"
# default = true
# about = "Windows: whether events are taken in the format of Windows, too"
#
# [returns.size]
# type = "int"
# about = "Bytes of the pack"
# [returns.left]
# type = "list"
# about = "Folders that collections left here more than a day ago, which were removed, or why not"
# ///
: "${stage:?}" "${files?}" "${commands?}" "${events?}" "${since:?}" "${room:?}" "${evtx?}"
require_root # and evtx is for Windows
[ "$((65536 * 65536))" -gt 0 ] || fail "the shell here counts with 32 bits, which is too few for files"
tab=$(printf '\t') newline='
'
begun=$(date +%s) enough=1500 # seconds after which nothing more is begun
spare=67108864
parent=$root/var/tmp
folder=$parent/fleet-collect-$stage
pack=$folder/pack
used=0 records=0 misses='' full=''
command -v gzip >/dev/null 2>&1 || fail "gzip is not here; nothing was staged"

# What other collections left here more than a day ago.
remove_leftovers() {
    for each in "$parent"/fleet-collect-*; do
        name=${each##*/fleet-collect-}
        case $name in *[!0-9a-z]* | '') continue ;; esac
        [ "${#name}" = 20 ] && is_ours "$each" && [ -n "$(find "$each" -prune -mtime +0)" ] || continue
        if rm -rf "$each"; then printf '%s\n' "$name"; else printf '%s: could not be removed\n' "$name"; fi
    done
}

miss() {
    misses="${misses}M$tab$number$tab$1$newline"
}

# What a file is now, its size first.
state() {
    # shellcheck disable=SC2012 # of one file that is open, whose name is ours
    stat -L -c '%s %d:%i %y %z' "$1" 2>/dev/null || ls -lniL "$1" | awk '{ print $6, $0 }'
}

# Writes the last $most bytes of a file to stdout and what became of it to the file said. Opened once and
# looked at after that: what the path stands for may be exchanged at any moment.
read_file() {
    unescape "$1" || plain=
    case $plain in */ | */../* | */..) plain='' ;; esac
    [ -n "$plain" ] || { say special; return 0; }
    enter "${plain%/*}" || { say "$obstacle"; return 0; }
    name=./${plain##*/}
    if [ -L "$name" ]; then say link
    elif [ ! -e "$name" ]; then say gone
    elif [ ! -f "$name" ]; then say special
    else
        if ! read_opened 4<"$name" && [ ! -s "$folder/said" ]; then say denied; fi
    fi
}

say() {
    printf '%s\n' "$1" >>"$folder/said"
}

read_opened() {
    if [ ! -f /proc/self/fd/4 ]; then
        say special
        return 0
    fi
    if ! stands; then
        if [ -L "$name" ]; then say link; else say gone; fi
        return 0
    fi
    before=$(state /proc/self/fd/4)
    size=${before%% *}
    say "of $size"
    if [ "$size" -gt "$most" ]; then
        part "$((size - most))" "$most" <&4
    elif [ "$size" -gt 0 ]; then
        head -c "$size" <&4
    else
        head -c "$most" <&4 # files of /proc say that they are empty
    fi
    if [ "$(state /proc/self/fd/4)" != "$before" ] || ! stands; then say changed; fi
}

# Whether what was opened is still the file of this name, by no link.
stands() {
    [ "$(readlink /proc/self/fd/4 && printf .)" = "${PWD%/}/${name#./}$newline." ]
}

# Runs a program by its words, escaped; its path, or its name on PATH.
run_words() { # WORDS ARGUMENT...
    words=$1
    shift
    case $words in
        *"$tab"*) unescape "${words%%"$tab"*}" && run_words "${words#*"$tab"}" "$@" "$plain" ;;
        *) unescape "$words" && run_program "$@" "$plain" ;;
    esac
}

run_program() {
    case $1 in
        /*) program=$root$1 ;;
        *) program=$(find_program "$1") ;;
    esac
    if [ ! -f "$program" ] || [ ! -x "$program" ]; then
        say notfound
        return 127
    fi
    shift
    status=0
    cd "$folder" || return 1
    run_native "$seconds" joined env "FLEET_COLLECT=$stage-$number" "$program" "$@" || status=$?
    end_marked "FLEET_COLLECT=$stage-$number"
    return "$status"
}

# Here, so that what the shell says about how a program ended is not taken for its output.
joined() {
    "$@" 2>&1
}

find_program() {
    case $1 in */* | *=* | '') return 0 ;; esac
    way=$PATH:
    while [ -n "$way" ]; do
        if [ -f "${way%%:*}/$1" ] && [ -x "${way%%:*}/$1" ]; then
            printf '%s' "${way%%:*}/$1"
            return 0
        fi
        way=${way#*:}
    done
}

# Has journalctl print what units or the kernel wrote, the newest first.
read_journal() { # PROVIDERS TERM ...
    providers=$1
    shift
    if [ -z "$providers" ]; then
        run_journal "$@"
        return
    fi
    unescape "${providers%%[:;]*}" || plain=
    case $providers in *';'*) providers=${providers#*;} ;; *) providers='' ;; esac
    case $plain in
        '') read_journal "$providers" "$@" ;;
        kernel) read_journal "$providers" "$@" ${1:++} _TRANSPORT=kernel ;;
        *)
            case $plain in *.*) ;; *) plain=$plain.service ;; esac
            read_journal "$providers" "$@" ${1:++} "_SYSTEMD_UNIT=$plain" + _PID=1 "UNIT=$plain"
            ;;
    esac
}

run_journal() {
    program=$(find_program journalctl)
    if [ -z "$program" ]; then
        say notfound
        return 127
    fi
    from=''
    [ "$since" = 0 ] || from=--since=@$since
    run_native "$seconds" "$program" --no-pager --quiet --reverse --utc --output=short-iso ${from:+"$from"} "$@"
}

# Compresses what COMMAND writes into the file piece: at most $most bytes of it, and no more than the pack has
# room for. Status 1 where it could not be written.
compress() {
    room_left=$((room - reserve - used - 200)) said='' also=''
    rm -f "$folder/said" "$folder/status"
    "$@" </dev/null | head -c "$most" | gzip -c | head -c "$((room_left + 1))" >"$folder/piece" || return 1
    size=$(($(wc -c <"$folder/piece")))
    read -r status <"$folder/status" && [ "$size" -gt 4 ] || return 1
    [ ! -f "$folder/said" ] || { read -r said && read -r also; } <"$folder/said" || :
    # shellcheck disable=SC2046 # four words
    length_of $(od -A n -t u1 -j "$((size - 4))" "$folder/piece")
}

# gzip says at its end how much it was.
length_of() {
    plain=$(($1 + 256 * ($2 + 256 * ($3 + 256 * $4))))
}

noted() {
    status=0
    "$@" || status=$?
    printf '%s\n' "$status" >"$folder/status"
}

# To the end of what COMMAND writes, but not longer than it may take where a daemon keeps its end open.
drained() {
    noted "$@" | run_native "$((seconds + 3))" cat
}

# Has COMMAND give less and less until it is small enough.
fit() {
    cut=''
    while [ "$size" -gt "$room_left" ]; do
        cut=room
        parts=$((room_left * 950 / size)) # of a thousand
        most=$(($(gzip -dc <"$folder/piece" 2>/dev/null | wc -c) * parts / 1000))
        compress "$@" || return 1
    done
}

# Appends the piece to the pack as a record, or nothing where that can't be done.
append() { # CODE ...
    codes=''
    for each in "$@"; do codes=$codes${codes:+${each:+,}}$each; done
    line="F$tab$number${tab}txt$tab$size$tab$plain$tab$now$tab${codes:-whole}"
    if { printf '%s\n' "$line" && cat "$folder/piece"; } >>"$pack"; then
        used=$((used + ${#line} + 1 + size)) records=$((records + 1))
    else
        shorten
        lose
    fi
}

# Takes away again what was written in part.
shorten() {
    dd if=/dev/null of="$pack" bs=1 seek="$used" count=0 2>/dev/null
}

# What could not be written: 28 is ENOSPC, 5 is EIO.
lose() {
    full="; not all that was read could be written to $parent"
    if [ "$(free_bytes "$parent")" -lt 1048576 ]; then miss failed:28; else miss failed:5; fi
}

take_file() { # NUMBER MAXBYTES PATH
    path=${rest#*"$tab"} seconds=$((60 + most / 1048576))
    [ "$seconds" -le 600 ] || seconds=600
    if ! compress noted run_native "$seconds" read_file "$path" || ! fit noted run_native "$seconds" read_file "$path"; then
        lose
        return
    fi
    case $said:$status in
        'of '*) ;;
        :124) said=timeout ;;
        :*) said=failed:$status ;;
    esac
    case $said in
        'of '*) ;;
        *) miss "$said"; return ;;
    esac
    length=${said#of } end='' late=''
    [ "$length" -le "$most" ] || end=tail:$length
    [ "$status" != 124 ] || late=timeout
    append "$end" "$cut" "$late" "$also"
}

take_command() { # NUMBER SECONDS MAXBYTES WORD ...
    seconds=$most rest=${rest#*"$tab"}
    bound "${rest%%"$tab"*}"
    take_output run_words "${rest#*"$tab"}"
}

take_events() { # NUMBER MAXBYTES LOG PROVIDERS
    seconds=180 rest=${rest#*"$tab"}
    case $rest in
        journal) take_output read_journal '' ;;
        journal"$tab"*) take_output read_journal "${rest#*"$tab"}" ;;
        *) miss notfound ;;
    esac
}

take_output() { # COMMAND
    limit=$most
    if ! compress drained "$@"; then
        lose
        return
    fi
    code='' ended=$status missing=$said
    # Once more it would not say the same.
    if [ "$size" -gt "$room_left" ] && ! { cp "$folder/piece" "$folder/held" && fit noted unpack_held; }; then
        lose
        return
    fi
    case $ended in
        0) ;;
        124) code=timeout ;;
        *) code=status:$ended ;;
    esac
    if [ "$plain" = "$limit" ] || [ -n "$cut" ]; then code=room; fi
    case $missing:$code:$plain in
        notfound:*) miss notfound ;;
        *:timeout:0) miss timeout ;;
        *:status:*:0) if [ "$1" = read_journal ]; then miss "failed:$ended"; else append "$code"; fi ;;
        *) append "$code" ;;
    esac
}

unpack_held() {
    gzip -dc <"$folder/held" 2>/dev/null
}

# Of more than this gzip can't say how much it was.
bound() {
    most=$1
    [ "$most" -le 4294967295 ] || most=4294967295
}

# Each line of stdin with HOW, as long as there are time and room.
take() {
    while IFS= read -r line; do
        [ -n "$line" ] || continue
        number=${line%%"$tab"*} rest=${line#*"$tab"} cut=''
        bound "${rest%%"$tab"*}"
        is_ours "$folder" || fail "$folder was removed while it was being filled"
        now=$(date +%s)
        if [ "$((now - begun))" -gt "$enough" ]; then miss timeout
        elif [ "$((room - reserve - used))" -lt 1024 ]; then miss room
        else "$1"
        fi
    done
}

# Leaves nothing behind.
give_up() {
    rm -rf "$folder"
    fail "$*; nothing was staged"
}

if ! mkdir -m 700 "$folder"; then
    [ ! -e "$folder" ] && [ ! -L "$folder" ] || fail "$folder is there already and was not made by this; nothing was staged"
    fail "$folder can't be made; nothing was staged"
fi
left=$(remove_leftovers)
free=$(free_bytes "$parent")
[ "$free" -ge $((room + spare)) ] ||
    give_up "$parent has $((free / 1048576)) MB free, and $(((room + spare + 1048575) / 1048576)) MB are needed"
asked=$(($(printf '%s\n%s\n%s\n' "$files" "$commands" "$events" | grep -c .))) || :
# For what is missing, which is said at the end.
reserve=$((asked * 40 + 1000))
[ "$((reserve + 4096))" -le "$room" ] || give_up "$room bytes are too few to say anything about $asked items"
: >"$pack" || give_up "$parent can't be written to"
take take_command <<TEXT
$commands
TEXT
take take_events <<TEXT
$events
TEXT
take take_file <<TEXT
$files
TEXT
rm -f "$folder/piece" "$folder/held" "$folder/said" "$folder/status"
if printf '%sE\n' "$misses" >>"$pack"; then
    used=$((used + ${#misses} + 2))
else
    shorten
    lose
fi
[ "$(($(wc -c <"$pack")))" = "$used" ] || give_up "what was written to $pack is not what is there"
data_int size "$used"
[ -z "$left" ] || data_list left <<TEXT
$left
TEXT
ok "$records of $asked items, $used bytes$full"

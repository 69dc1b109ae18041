#!/bin/sh
# /// fleet
# kind = "collect"
# title = "Lists the files that a bundle asks for"
# about = "Changes nothing. One line of text a file: F NUMBER SIZE MTIME PATH, the newest first, with tabs between; and M NUMBER CODE PATH for what was not looked at: nothing denied link special odd-name more:N toomany. In a path every byte outside 0x21-0x7e, and the percent sign, is %XX. Links are not followed."
# timeout = 180
# needs = ["root", "admin"]
#
# [params.items]
# type = "list"
# required = true
# about = "NUMBER, COUNT (files at most) and PATTERN, with tabs between; the pattern written as a path is; * and ? within one name, ** for all below"
# [params.since]
# type = "int"
# default = 0
# minimum = 0
# about = "Only files written since then, seconds since 1970 UTC; 0: all"
#
# [returns.files]
# type = "int"
# about = "How many were listed"
# [returns.free]
# type = "int"
# about = "Bytes that are free where files would be staged; 0 where nobody says"
# ///
: "${items:?}" "${since:?}"
require_root
[ "$((65536 * 65536))" -gt 0 ] || fail "the shell here counts with 32 bits, which is too few for files"
newline='
'
tab=$(printf '\t') unclear=$(printf '\001')
end=$(($(date +%s) + 120)) total=0
# GNU's find ends names with NUL; with others, names that have a newline are left out.
if find "$root/." -prune -printf '' >/dev/null 2>&1; then
    whole=1
elif stat -c %s "$root/" >/dev/null 2>&1; then
    whole=0
else
    fail "neither find -printf nor stat -c works here, and files can't be listed without"
fi

# Puts the parts of PATTERN, with STARS for how deep it is, into an expression that is true for what is passed
# on the way, and has names looked at for the rest.
search() {
    pattern=$1 stars=$2
    shift 2
    part=${pattern%%/*} deeper="$stars/*"
    quoted=$(printf '%s.' "$part" | sed 's/[[\\]/\\&/g')
    case $pattern in
        '**') names . '(' "$@" -o -path "$deeper" -type d ')' -o ;;
        '**/'*) names . '(' "$@" -o -path "$deeper" -type d ')' -o ;;
        */*)
            search "${pattern#*/}" "$deeper" "$@" -o -path "$deeper" ! -path "$deeper/*" \
                '(' ! -name "${quoted%.}" -prune -o -type d ')'
            ;;
        *) names . '(' "$@" -o -path "$deeper" '(' ! -name "${quoted%.}" -prune -o -type d -prune ')' ')' -o ;;
    esac
}

# TYPE SIZE TIME NAME of each, newlines in it as \001, and one line that says how it went.
names() {
    seconds=$((end - $(date +%s)))
    [ "$seconds" -gt 0 ] || seconds=1
    if [ "$whole" = 1 ]; then
        look "$@" '(' -path "*$unclear*" -printf 'o\t0\t0\t%p\0' -o -printf '%y\t%s\t%T@\t%p\0' ')' | tr '\n\000' '\001\n'
    else
        # Not in brackets, where busybox (1.35) forgets what -exec ... + has not done yet.
        look "$@" -path "*$newline*" -exec printf 'o\t0\t0\t./\n' '{}' + -o \
            -exec stat -c "%f$tab%s$tab%Y$tab%n" '{}' + | tr '\000' '\n'
    fi
}

look() {
    {
        went=$({ run_native "$seconds" find "$@" 2>&1 >&4 || printf 'status %s\n' "$?"; } |
            awk '/Permission denied$/ { denied = 1 } /^status 124$/ { late = 1 } END { print denied + 0 "\t" late + 0 }')
    } 4>&1
    printf '\000z\t%s\t\000' "$went" 2>/dev/null
}

# What to tell of each, in an order that sorts: F TIME SIZE NAME, M 0 CODE NAME.
judge() {
    MEANT=$meant awk -F '\t' -v since="$since" -v depth="$depth" -v most=200000 -v signs=100 '
        function sign(code, name) { if (signs-- > 0) print "M\t0\t" code "\t" name }
        function take(line,  field, type, name) {
            split(line, field, "\t")
            type = field[1]
            name = substr(line, length(type) + length(field[2]) + length(field[3]) + 4)
            # What stat calls the kind of a file is the first of four hexadecimal digits.
            if (length(type) == 4) type = index("8a", substr(type, 1, 1)) ? substr(type, 1, 1) : "s"
            if (type == "l" || type == "a") sign("link", name)
            else if (gsub("/", "/", line) < depth || expression && name !~ expression) return
            else if (type == "o") sign("odd-name", name)
            else if (type != "f" && type != "8") sign("special", name)
            else if (field[3] >= since + 0) { sub(/\..*/, "", field[3]); print "F\t" field[3] "\t" field[2] "\t" name }
        }
        BEGIN {
            for (i = 1; i <= length(ENVIRON["MEANT"]); i++) {
                c = substr(ENVIRON["MEANT"], i, 1)
                if (substr(ENVIRON["MEANT"], i, 2) == "**") { c = ".*"; i++ }
                else if (c == "*") c = "[^/]*"
                else if (c == "?") c = "[^/]"
                else if (c == "\\" || c == "^") c = "\\" c
                else if (c !~ /[A-Za-z0-9_\/-]/) c = "[" c "]"
                expression = expression c
            }
            if (expression) expression = "^[.]/" expression "$"
        }
        $0 == "" { next }
        held != "" && !/^z\t/ { take(held); held = "" }
        /^z\t/ {
            # When it was stopped, the last name may be half of one.
            if (held != "" && !$3) take(held)
            if ($3) sign("toomany", "")
            if ($2) sign("denied", "")
            exit
        }
        ++seen > most {
            sign("toomany", "")
            exit
        }
        { held = $0 }'
}

# The answer for one pattern, and how many files it names on stderr.
answer() {
    sort -t "$tab" -k 1,1 -k 2,2nr | BASE=$base PATTERN=$escaped awk -F '\t' -v number="$number" -v count="$count" -v whole="$whole" '
        function escape(text,  i, c, out) {
            if (text !~ /[^!-$&-~]/) return text
            for (i = 1; i <= length(text); i++) {
                c = substr(text, i, 1)
                out = out ((c in code) ? code[c] : c)
            }
            return out
        }
        BEGIN {
            for (i = 1; i < 256; i++) if (i < 33 || i > 126 || i == 37) code[sprintf("%c", i)] = sprintf("%%%02X", i)
            if (whole) code[sprintf("%c", 1)] = "%0A"
            base = escape(ENVIRON["BASE"])
        }
        {
            name = substr($0, length($1) + length($2) + length($3) + 4)
            name = name == "" ? ENVIRON["PATTERN"] : base escape(substr(name, 2))
        }
        $1 == "M" { print "M\t" number "\t" $3 "\t" name; signs++; next }
        ++files <= count { print "F\t" number "\t" $3 "\t" $2 "\t" name }
        END {
            if (files > count) print "M\t" number "\tmore:" files - count "\t" ENVIRON["PATTERN"]
            if (!files && !signs) print "M\t" number "\tnothing\t" ENVIRON["PATTERN"]
            printf "%d", (files > count) ? count : files | "cat 1>&2"
        }'
}

# Everything of one pattern, from the folder before its first part with a star.
list() {
    base='' meant='' depth=0
    while :; do
        case ${plain%%/*} in *[*?]*) break ;; esac
        case $plain in */*) ;; *) break ;; esac
        base=$base/${plain%%/*} plain=${plain#*/}
    done
    if ! enter "$base"; then
        [ "$obstacle" != gone ] || obstacle=nothing
        printf 'M\t0\t%s\t\n' "$obstacle" | answer
        return
    fi
    case $plain in
        *[*?]*)
            rest=$plain/
            while [ -n "$rest" ]; do
                depth=$((depth + 1))
                case $rest in '**/'*) rest='' ;; *) rest=${rest#*/} ;; esac
            done
            case /$plain in *'/**/'*) meant=$plain ;; esac
            search "$plain" . ! -path './*' | judge | answer
            ;;
        *) if [ -e "./$plain" ] || [ -L "./$plain" ]; then names "./$plain" -prune | judge | answer; else answer </dev/null; fi ;;
    esac
}

{
    while IFS=$tab read -r number count escaped; do
        plain=
        unescape "$escaped" || plain=
        case $plain/ in
            *"$unclear"* | *//* | */./* | */../* | [!/]*) printf 'M\t%s\todd-name\t%s\n' "$number" "$escaped" >&5 ;;
            *)
                plain=${plain#/}
                files=$(list 2>&1 >&5 </dev/null)
                case $files in '' | *[!0-9]*) fail "the files of $escaped could not be listed: $files" ;; esac
                total=$((total + files))
                ;;
        esac
    done <<TEXT
$items
TEXT
} 5>&1
data_int files "$total"
data_int free "$(free_bytes "$root/var/tmp")"
ok "$total files"

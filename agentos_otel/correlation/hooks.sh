#!/bin/sh
# Dispatcher for git's hooks (agentos-otel): the repository's own hook first, then ours. Never prints.
#
# It stands in for core.hooksPath through the environment of one command, so git would not run the repository's own
# hooks any more: they are found and run here, with their arguments, stdin and exit code (git-lfs without its pre-push
# loses objects silently).
hook=${0##*/}

# The repository's own hooks directory, as git would see it without our entries. All of ours are switched off, not only
# the one that git took: where two versions of this library are nested, each would else find and run the other for ever.
own=$(
    exec 2>/dev/null
    i=0
    while [ "$i" -lt "${GIT_CONFIG_COUNT:-0}" ]; do
        eval "key=\${GIT_CONFIG_KEY_$i-} value=\${GIT_CONFIG_VALUE_$i-}"
        if [ "$key" = core.hooksPath ]; then
            [ "$value" != "${0%/*}" ] && [ ! -e "$value/.agentos-otel" ] || export "GIT_CONFIG_KEY_$i=agentos.off"
        fi
        i=$((i + 1))
    done
    git rev-parse --git-path hooks
)
[ "$own" != "${0%/*}" ] && [ ! -e "$own/.agentos-otel" ] || own=
[ -n "$own" ] && [ -x "$own/$hook" ] && [ ! -d "$own/$hook" ] || own=

case $hook in
    prepare-commit-msg | commit-msg | post-commit | post-merge | post-applypatch)
        [ -z "$own" ] || "$own/$hook" "$@" || exit $? ;;
    post-rewrite) # its list of rewritten commits is wanted twice
        rewritten=$(cat)
        if [ -n "$own" ]; then
            printf '%s\n' "$rewritten" 2>/dev/null | "$own/$hook" "$@" || exit $?
        fi ;;
    *)
        [ -z "$own" ] || exec "$own/$hook" "$@"
        exit 0 ;;
esac

# From here on all is ours: silent, and the same in every locale.
exec 2>/dev/null
LC_ALL=C
export LC_ALL

# The task that is current now: its file is replaced by rename and removed at the task's end.
task_id= session_id= trace_id= commits=
[ -r "${AGENTOS_OTEL_TASK_FILE:-}" ] || exit 0
while IFS= read -r line || [ -n "$line" ]; do
    case $line in
        task_id=*) task_id=${line#*=} ;;
        session_id=*) session_id=${line#*=} ;;
        trace_id=*) trace_id=${line#*=} ;;
        commits=/*) commits=${line#*=} ;;
    esac
done <"$AGENTOS_OTEL_TASK_FILE"
case $task_id in '' | *[!A-Za-z0-9_.:-]*) exit 0 ;; esac
case $session_id in *[!A-Za-z0-9_.:@/-]*) session_id= ;; esac
case $trace_id in *[!0-9a-f]*) trace_id= ;; esac

comments_of_git() { # the comment character of the message in file $1, whose source is $2
    # Without an editor git keeps `#42 fix` as text; it tells hooks so by GIT_EDITOR=:. An agent may have set that one
    # itself, so it counts only where the message was given (else the hints of an empty message would be its text).
    character='#' stripped=
    while read -r key value; do
        case $key:$value in
            core.comment*) character=$value ;;
            commit.cleanup:strip) stripped=yes ;;
        esac
    done <<EOF
$(git config --get-regexp '^(core\.comment(char|string)|commit\.cleanup)$')
EOF
    [ "${GIT_EDITOR-}" = : ] && [ "$2" = message ] && [ -z "$stripped" ] && character=$(printf '\001')
    # `auto` is whatever the hints at the end of the message, above the diff of `commit -v`, begin with.
    [ "$character" != auto ] || character=$(awk '/^[#;@!$%^&|:] -+ >8 -+$/ { exit } NF { last = substr($0, 1, 1) }
        END { print (last ~ /[#;@!$%^&|:]/ ? last : "#") }' "$1")
    printf %s "$character"
}

# Puts the block into a message, as trailers.py does. Not by `git interpret-trailers`: it writes the last paragraph
# anew, and a URL that stands there comes out as `https: //`. `git am` ends a message at `---`, `diff -` and `Index:`,
# `commit -v` at its scissors: the block stands above, and above the hints of an editor. Fails where the message has no
# text of its own (git takes sign-offs alone for none: with our block an aborted commit would become one) or a Task-Id.
STAMP='
    BEGIN { c = ENVIRON["comment"] }
    { line[NR] = $0 }
    index($0, c " ------------------------ >8 --") == 1 { end = 1 }
    end { next }
    tolower($0) ~ /^task-id[ \t]*:[ \t]*[^ \t\r]+[ \t\r]*$/ { stamped = 1 }
    /^---([ \t\r]|$)/ || /^diff -/ || /^Index: / { cut = 1 }
    !cut && /[^ \t\r]/ && index($0, c) != 1 {
        last = NR
        if (!first) first = NR
        if (!/^Signed-off-by: /) text = 1
    }
    END {
        if (stamped || !text) exit 1
        for (i = last; i && line[i] ~ /[^ \t\r]/; i--) { # what git takes for a block of trailers: see trailers.py
            if (index(line[i], c) == 1) { others += continued; continued = 0 }
            else if (line[i] ~ /^(Signed-off-by: |\(cherry picked from commit )/) {
                trailers++; continued = 0; known = 1
            } else if (line[i] ~ /^[A-Za-z0-9-]+[ \t]*:/) { trailers++; continued = 0 }
            else if (line[i] ~ /^[ \t]/) continued++
            else { others += continued + 1; continued = 0 }
        }
        others += continued
        extends = first < i && trailers && (!others || (known && trailers * 3 >= others))
        for (i = 1; i <= last; i++) print line[i]
        if (!extends) print ""
        print ENVIRON["block"]
        if (last < NR && line[last + 1] ~ /[^ \t\r]/) print ""
        for (i = last + 1; i <= NR; i++) print line[i]
    }'

text_of() { # the text of the message in file $1, without what git does not count as text
    comment=$comment awk 'index($0, ENVIRON["comment"] " ------------------------ >8 --") == 1 { exit }
        NF && index($0, ENVIRON["comment"]) != 1 && !/^Signed-off-by: /' "$1"
}

stamp() {
    # Only new work is stamped: a picked or rebased commit is somebody's, perhaps another task's.
    git_dir=$(git rev-parse --git-dir) || return
    [ -e "$git_dir/CHERRY_PICK_HEAD" ] || [ -d "$git_dir/rebase-merge" ] || [ -d "$git_dir/rebase-apply" ] && return
    comment=$(comments_of_git "$1" "$2")

    # The text of a template is nobody's: git drops the commit if it comes back untouched, so commit-msg must know it.
    template=$1.agentos-template
    if [ "$hook" = prepare-commit-msg ]; then
        rm -f "$template"
        if [ "$2" = template ]; then
            text_of "$1" >"$template"
            return
        fi
    elif [ -f "$template" ]; then
        untouched=$(cat "$template")
        rm -f "$template"
        [ "$(text_of "$1")" != "$untouched" ] || return
    fi

    block="Task-Id: $task_id${session_id:+
Session-Id: $session_id}${trace_id:+
Trace-Id: $trace_id}"
    # awk ends the last line too: a merge's message has no final newline, and the block would join its subject.
    comment=$comment block=$block awk "$STAMP" "$1" >"$1.agentos" && [ -s "$1.agentos" ] && cat "$1.agentos" >"$1"
    rm -f "$1.agentos"
}

note() { # one line, its fields joined by tabs, in one write
    [ -n "$commits" ] && (IFS='	' && printf '%s\n' "$*" >>"$commits")
}

# What the Task-Id trailers of commit $1 name, or else those that a squash has indented. Not by `git log`: with
# log.showSignature it prints more than the message.
tasks_of() {
    git cat-file commit "$1" | awk '
        body && tolower($0) ~ /^[ \t]*task-id[ \t]*:[ \t]*[a-z0-9_.:-]+[ \t\r]*$/ {
            indented = /^[ \t]/
            gsub(/^[ \t]*[^:]*:[ \t]*|[ \t\r]*$/, "")
            if (indented) inner = inner $0 "\n"; else own = own $0 "\n"
        }
        $0 == "" { body = 1 }
        END { printf "%s", (own == "" ? inner : own) }'
}

umask 077
case $hook in prepare-commit-msg | commit-msg)
    [ -f "$1" ] && stamp "$1" "${2-}"
    exit 0 ;;
esac

common=$(git rev-parse --path-format=absolute --git-common-dir) || exit 0
case $common in *[[:cntrl:]]*) exit 0 ;; esac
span_id=-
case ${AGENTOS_OTEL_TRACEPARENT-} in
    00-"${trace_id:-none}"-????????????????-??)
        span_id=${AGENTOS_OTEL_TRACEPARENT#00-*-}
        span_id=${span_id%-*}
        case $span_id in *[!0-9a-f]*) span_id=- ;; esac ;;
esac
now=$(date +%s)

if [ "$hook" = post-rewrite ]; then
    printf '%s\n' "$rewritten" | while read -r old new _; do
        of=$(tasks_of "$old" | tail -n 1)
        [ -z "$of" ] || note rewrite "$old" "$new" "$common" "$of" "${trace_id:--}" "$span_id" "$now"
    done
else
    sha=$(git rev-parse --verify -q HEAD) || exit 0
    tasks_of "$sha" | grep -Fqx -e "$task_id" || exit 0
    branch=$(git symbolic-ref --short -q HEAD) || branch=-
    note commit "$sha" "$common" "$branch" "$task_id" "${trace_id:--}" "$span_id" "$now"
fi
exit 0

#!/bin/sh
# Dispatcher for git's client hooks (agentos-otel): the repository's own hook first, then ours. Never prints.
#
# It stands in for core.hooksPath through the environment of one command, so git would not run the repository's own
# hooks any more: they are found and run here, with their arguments, stdin and exit code (git-lfs without its pre-push
# loses objects silently).
hook=${0##*/}

# The repository's own hooks directory, as git would see it without our entry.
own=$(
    i=0
    while [ "$i" -lt "${GIT_CONFIG_COUNT:-0}" ]; do
        eval "key=\${GIT_CONFIG_KEY_$i:-} value=\${GIT_CONFIG_VALUE_$i:-}"
        if [ "$key" = core.hooksPath ] && [ "$value" = "${0%/*}" ]; then
            export "GIT_CONFIG_KEY_$i=agentos.off"
        fi
        i=$((i + 1))
    done
    git rev-parse --git-path hooks 2>/dev/null
)
if [ -n "$own" ] && [ "$own" != "${0%/*}" ] && [ -x "$own/$hook" ] && [ ! -d "$own/$hook" ]; then
    case $hook in
        post-rewrite)
            # Its list of rewritten commits is wanted twice.
            rewritten=$(cat)
            printf '%s\n' "$rewritten" | "$own/$hook" "$@" || exit $? ;;
        *) "$own/$hook" "$@" || exit $? ;;
    esac
fi

case $hook in
    prepare-commit-msg | commit-msg | post-commit | post-merge | post-applypatch | post-rewrite) ;;
    *) exit 0 ;;
esac

# The task that is current now: its file is replaced by rename and removed at the task's end.
file=${AGENTOS_OTEL_TASK_FILE:-}
[ -n "$file" ] && [ -r "$file" ] || exit 0
task_id= session_id= trace_id= commits=
while IFS='=' read -r key value; do
    case $key in
        task_id) task_id=$value ;;
        session_id) session_id=$value ;;
        trace_id) trace_id=$value ;;
        commits) commits=$value ;;
    esac
done <"$file"
case $task_id in '' | *[!A-Za-z0-9_.:-]*) exit 0 ;; esac
case $session_id in *[!A-Za-z0-9_.:@/-]*) session_id= ;; esac
case $trace_id in *[!0-9a-f]*) trace_id= ;; esac

span_id=-
case ${AGENTOS_OTEL_TRACEPARENT:-} in
    00-"${trace_id:-none}"-????????????????-??)
        span_id=${AGENTOS_OTEL_TRACEPARENT#00-*-}
        span_id=${span_id%-*} ;;
esac

common=$(git rev-parse --git-common-dir 2>/dev/null) && common=$(cd "$common" 2>/dev/null && pwd -P) || exit 0

note() { # one line, its fields joined by tabs, in one write
    [ -n "$commits" ] && (umask 077 && IFS='	' && printf '%s\n' "$*" >>"$commits") 2>/dev/null
}

stamp() {
    # Only new work is stamped: a picked or rebased commit is somebody's, perhaps another task's.
    git_dir=$(git rev-parse --git-dir 2>/dev/null) || return 0
    [ -e "$git_dir/CHERRY_PICK_HEAD" ] || [ -d "$git_dir/rebase-merge" ] || [ -d "$git_dir/rebase-apply" ] && return 0
    [ -f "$1" ] || return 0
    comment=$(git config core.commentChar 2>/dev/null) || comment='#'
    [ ${#comment} -eq 1 ] || comment='#'
    # The text of the message: above the scissors of `commit -v`, without comments.
    awk -v c="$comment" '$0 ~ "^" ( c == "#" ? "#" : "[" c "]" ) " -+ >8 -+$" { exit } substr($0, 1, 1) != c && NF { found = 1; exit }
        END { exit !found }' "$1" || return 0
    grep -q '^[[:space:]]*Task-Id:' "$1" && return 0
    set -- "$1" --trailer "Task-Id: $task_id"
    [ -n "$session_id" ] && set -- "$@" --trailer "Session-Id: $session_id"
    [ -n "$trace_id" ] && set -- "$@" --trailer "Trace-Id: $trace_id"
    message=$1
    shift
    # `git am` ends a message at such a line, so the block stands before it; and a final newline first: a merge's
    # message has none, and the trailer would join the subject.
    cut=$(awk '/^---([ \t]|$)/ || /^diff -/ || /^Index: / { print NR; exit }' "$message")
    temporary=$message.agentos
    if [ -n "$cut" ]; then
        head -n $((cut - 1)) "$message" >"$temporary.head" && tail -n +"$cut" "$message" >"$temporary.tail" || return 0
        git interpret-trailers --no-divider "$@" <"$temporary.head" >"$temporary" 2>/dev/null &&
            { echo; cat "$temporary.tail"; } >>"$temporary" && cat "$temporary" >"$message"
        rm -f "$temporary.head" "$temporary.tail"
    else
        { cat "$message"; [ -z "$(tail -c 1 "$message")" ] || echo; } >"$temporary.head"
        git interpret-trailers --no-divider "$@" <"$temporary.head" >"$temporary" 2>/dev/null && cat "$temporary" >"$message"
        rm -f "$temporary.head"
    fi
    rm -f "$temporary"
}

case $hook in
    prepare-commit-msg | commit-msg)
        stamp "$1" 2>/dev/null ;;
    post-commit | post-merge | post-applypatch)
        sha=$(git rev-parse --verify -q HEAD) || exit 0
        git log -1 --format=%B "$sha" 2>/dev/null | grep -q "^[[:space:]]*Task-Id: $task_id\$" || exit 0
        branch=$(git symbolic-ref --short -q HEAD) || branch=-
        note commit "$sha" "$common" "$branch" "$task_id" "${trace_id:--}" "$span_id" "$(date +%s)" ;;
    post-rewrite)
        printf '%s\n' "${rewritten-$(cat)}" | while read -r old new _; do
            of=$(git log -1 --format=%B "$old" 2>/dev/null | sed -n 's/^[[:space:]]*Task-Id: \([A-Za-z0-9_.:-]*\)$/\1/p' | tail -n 1)
            [ -n "$of" ] && note rewrite "$old" "$new" "$common" "$of" "${trace_id:--}" "$span_id" "$(date +%s)"
        done ;;
esac
exit 0

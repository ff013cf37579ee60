# shellcheck shell=sh
name=${0##*/}
name=${name%.sh}
stop() {
    printf 'handover %s refused: %s\n' "$name" "$1" >&2
    exit 5
}
# Nothing happens before this: the file is whole, this is its repository, and it has not run here yet.
run() {
    sum=$(sha256sum <"$0") || stop 'sha256sum is missing'
    case $sum in "$name"*) ;; *) stop 'this file was changed' ;; esac
    top=$(git rev-parse --show-toplevel) || stop 'this is no repository'
    common=$(git rev-parse --git-common-dir) || stop 'this is no repository'
    [ "$(cd "$top" && pwd -P)" = "$(pwd -P)" ] || stop "this is not the top of the project: $top"
    git cat-file -e "HEAD:$0" 2>/dev/null || stop 'it is not committed here: is this another repository?'
    if [ -z "$once" ]; then
        work
        exit
    fi
    ran=$common/handover/ran
    mkdir -p "$ran" || stop 'the git directory cannot be written'
    if ! mkdir "$ran/$name" 2>/dev/null && [ "${1-}" != again ]; then
        read -r before 2>/dev/null <"$ran/$name/status" || before=unknown
        printf 'handover %s was run before, status %s; once more: sh %s again\n' "$name" "$before" "$0"
        exit 0
    fi
    work
    status=$?
    printf '%s\n' "$status" >"$ran/$name/status"
    if [ "$status" = 0 ]; then printf 'handover %s ok\n' "$name"; else printf 'handover %s failed %s\n' "$name" "$status"; fi
    exit "$status"
}

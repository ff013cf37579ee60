# shellcheck shell=bash disable=SC2154
# Takes the state of the cluster, and sends it with the logs, and with nothing else. Each file passes the guard: what is
# checked is a copy, and the copy is what is committed. What somebody has staged stays staged. Nothing is forced.
work() {
    set -u -o pipefail
    export LC_ALL=C GIT_TERMINAL_PROMPT=0
    scratch=$(mktemp -d) || return 7
    trap 'rm -rf -- "$scratch"' EXIT
    branch=$(git symbolic-ref -q --short HEAD) || halt 5 'HEAD is on no branch'
    git rev-parse -q --verify 'HEAD^{commit}' >/dev/null || halt 5 'there is no commit yet'
    local left
    for left in rebase-merge rebase-apply MERGE_HEAD CHERRY_PICK_HEAD REVERT_HEAD; do
        [[ ! -e $(git rev-parse --git-path "$left") ]] || halt 5 "$left is there: end what was begun, or give it up"
    done
    remote=$(git config "branch.$branch.remote") || remote=origin
    ref=$(git config "branch.$branch.merge") || ref=refs/heads/$branch
    git var GIT_COMMITTER_IDENT >/dev/null 2>&1 || name_somebody
    take_state
    choose
    commit_and_send
}

halt() {
    printf 'handover snapshot: %s\n' "$2" >&2
    exit "$1"
}

# Whoever has not told git their name on this machine yet.
name_somebody() {
    local user=${USER:-${LOGNAME:-somebody}}
    export GIT_AUTHOR_NAME=$user GIT_COMMITTER_NAME=$user
    export GIT_AUTHOR_EMAIL=$user@${HOSTNAME:-cluster} GIT_COMMITTER_EMAIL=$user@${HOSTNAME:-cluster}
}

take_state() {
    local status=0
    bash -c "$(state_script)" cluster_snapshot.sh "$state" || status=$?
    ((status < 2)) || printf 'handover snapshot: no state of the cluster was written; the logs go all the same\n' >&2
}

# --- what goes -------------------------------------------------------------------------------------------------------

# What changed of the logs and the state, into paths, copies and modes; what stays is named.
choose() {
    paths=() copies=() modes=() kept=0
    local entry code path new=0
    git status --porcelain=v1 -z --no-renames --untracked-files=all -- "${globs[@]}" >"$scratch/status" ||
        halt 7 'git status failed'
    while IFS= read -r -d '' entry; do [[ ${entry:0:2} != '??' ]] || new=$((new + 1)); done <"$scratch/status"
    while IFS= read -r -d '' entry; do
        code=${entry:0:2} path=${entry:3} why=
        case $code in
            '??') ((new <= most_new)) || [[ $path == "$state" ]] || why="$new new files are more than $most_new" ;;
            ' M' | ' T') ;;
            *D) continue ;;
            [DAU][AU] | U?) halt 5 "$path is not merged" ;;
            *) why='somebody has staged it' ;;
        esac
        [[ -n $why ]] || guard "$path" "$scratch/${#paths[@]}.copy"
        if [[ -n $why ]]; then
            kept=$((kept + 1))
            ((kept > 20)) || printf 'kept back: %s: %s\n' "$(shown "$path")" "$why"
            continue
        fi
        copies+=("$scratch/${#paths[@]}.copy")
        paths+=("$path")
        if [[ -x $path ]]; then modes+=(100755); else modes+=(100644); fi
    done <"$scratch/status"
    ((kept <= 20)) || printf 'kept back: and %s more\n' "$((kept - 20))"
}

shown() { printf '%s' "${1//[$'\x01'-$'\x1f'$'\x7f']/?}"; }

# guard PATH COPY: copies it, and sets why if it must stay.
guard() {
    local name=${1##*/} bytes
    name=${name,,}
    case $name in
        *.pt | *.pth | *.ckpt | *.safetensors | *.bin | *.onnx | *.gguf | *.pkl | *.pickle | *.np[yz] | *.h5 | *.hdf5 | *.parquet)
            why='weights or arrays' ;;
        *.dcm | *.dicom | *.nii | *.nii.gz | *.mha | *.mhd | *.nrrd | *.mgz) why='a medical image' ;;
        *.zip | *.tar | *.tgz | *.gz | *.bz2 | *.xz | *.zst | *.7z | *.rar) why='an archive' ;;
        .env | .env.* | *.env | .netrc | .pgpass | *.pem | *.key | *.p12 | *.pfx | *.kdbx | id_rsa* | id_ed25519* | *credentials*)
            why='a file of secrets' ;;
    esac
    [[ $1 != */ ]] || why='another repository'
    [[ -z $why ]] || return 0
    if [[ -L $1 ]]; then why='a link'; elif [[ ! -f $1 ]]; then why='no regular file'; fi
    [[ -z $why ]] || return 0
    head -c "$((most_bytes + 1))" <"$1" >"$2" || {
        why='it cannot be read'
        return 0
    }
    bytes=$(wc -c <"$2")
    if ((bytes > most_bytes)); then
        why="larger than $most_bytes bytes"
    elif (($(tr -d '\000' <"$2" | wc -c) != bytes)) || is_binary "$2"; then
        why='it is no text'
    elif grep -aqE -e "$secrets" "$2" || grep -aqiE -e "$assigned" "$2"; then
        why='it holds what looks like a secret'
    fi
}

# Archives, programs and pickles that have no zero byte.
is_binary() {
    local first
    first=$(od -An -v -tx1 -N 4 <"$1")
    case ${first// /} in
        1f8b* | 504b0[357]0[468] | 425a68* | fd377a58 | 28b52ffd | 377abcaf | 7f454c46 | 89484446 | 934e554d | 8002* | 8003* | 8004* | 8005* | 25504446 | 50415231)
            return 0 ;;
        *) return 1 ;;
    esac
}

secrets='-----BEGIN [A-Z ]*PRIVATE[ ]KEY|(AKIA|ASIA)[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,}'
secrets+='|glpat-[A-Za-z0-9_-]{18,}|hf_[A-Za-z0-9]{30,}|sk-[A-Za-z0-9_-]{32,}|xox[abeoprs]-[A-Za-z0-9-]{20,}'
secrets+='|AIza[0-9A-Za-z_-]{35}|npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{40,}|eyJ[A-Za-z0-9_-]{10,}[.]eyJ[A-Za-z0-9_-]{10,}'
secrets+='|[a-zA-Z][a-zA-Z0-9+.-]*://[^/@:[:space:]]+:[^/@[:space:]]{4,}@'
assigned='(api[_-]?key|token|secret|passw(or)?d|access[_-]?key)["'\'']?[[:space:]]*[=:][[:space:]]*["'\'']?[a-z0-9+_-]{20,}'
assigned+='|authorization:[[:space:]]*(bearer|basic)[[:space:]]+[a-z0-9._~+/=-]{16,}'

# --- how it goes -----------------------------------------------------------------------------------------------------

# Nothing here is changed before the remote has taken the commit, fast-forwarding aside.
commit_and_send() {
    local try theirs head
    for try in 1 2 3 4 5; do
        if ! git fetch -q "$remote" "$ref" 2>"$scratch/error"; then
            # A branch that nobody has pushed yet is no remote that cannot be reached.
            git ls-remote -q "$remote" >/dev/null 2>&1 || keep 75 "not sent: $(tail -n 1 "$scratch/error")"
            theirs=
        else
            theirs=$(git rev-parse FETCH_HEAD) || halt 7 'git fetch brought nothing'
        fi
        head=$(git rev-parse HEAD)
        if [[ -n $theirs ]] && ! git merge-base --is-ancestor "$theirs" "$head"; then
            git merge-base --is-ancestor "$head" "$theirs" || park 'this branch and the one at the remote went apart'
            git merge -q --ff-only "$theirs" 2>"$scratch/error" || park "$(tail -n 1 "$scratch/error")"
            head=$theirs
        fi
        build "$head"
        if [[ $new == "$head" && $head == "$theirs" ]]; then
            printf 'nothing new to send; %s kept back\n' "$kept"
            finish "$head"
        fi
        if git -c core.hooksPath=/dev/null push -q "$remote" "$new:$ref" 2>"$scratch/error"; then
            settle "$head"
            printf 'sent %s files to %s as %s; %s kept back\n' "${#paths[@]}" "$remote" "${new:0:9}" "$kept"
            finish "$new"
        fi
        sleep "$((RANDOM % 3 + try))"
    done
    keep 75 "not sent: $(tail -n 1 "$scratch/error")"
}

# build HEAD: the commit on top of it, into new; HEAD itself if nothing differs.
build() {
    local index=$scratch/index id at=0 tree
    rm -f -- "$index"
    GIT_INDEX_FILE=$index git read-tree "$1" || halt 7 'git read-tree failed'
    if ((${#copies[@]})); then
        printf '%s\n' "${copies[@]}" | git hash-object -w --no-filters --stdin-paths >"$scratch/ids" ||
            halt 7 'git hash-object failed'
        while IFS= read -r id; do
            printf '%s blob %s\t%s\0' "${modes[at]}" "$id" "${paths[at]}"
            at=$((at + 1))
        done <"$scratch/ids" >"$scratch/info"
        GIT_INDEX_FILE=$index git update-index -z --index-info <"$scratch/info" || halt 7 'git update-index failed'
    fi
    tree=$(GIT_INDEX_FILE=$index git write-tree) || halt 7 'git write-tree failed'
    new=$1
    if [[ $tree != "$(git rev-parse "$1^{tree}")" ]]; then
        new=$(printf 'snapshot: %s of %s\n' "${#paths[@]} files" "${HOSTNAME:-the cluster}" |
            git commit-tree -p "$1" "$tree") || halt 7 'git commit-tree failed'
    fi
}

# settle HEAD: the branch and the index here follow, if nobody moved the branch meanwhile.
settle() {
    [[ $new != "$1" ]] || return 0
    git update-ref -m 'handover snapshot' HEAD "$new" "$1" || halt 6 "sent, but somebody moved $branch meanwhile: git pull"
    git update-index -q -z --index-info <"$scratch/info" ||
        printf 'handover snapshot: the index is in use; git status may name the logs until: git reset -q\n' >&2
}

# keep STATUS WHY: the commit stays here.
keep() {
    local head
    head=$(git rev-parse HEAD)
    build "$head"
    settle "$head"
    printf 'committed here as %s; %s\n' "${new:0:9}" "$2"
    exit "$1"
}

# park WHY: the commit goes to a branch of its own, so that nothing is forced and nothing is lost.
park() {
    local head side
    head=$(git rev-parse HEAD)
    build "$head"
    side=parked/${HOSTNAME:-cluster}/$branch-${new:0:9}
    if git -c core.hooksPath=/dev/null push -q "$remote" "$new:refs/heads/$side" 2>>"$scratch/error"; then
        printf 'sent to %s as %s: %s\n' "$remote" "$side" "$1"
        exit 6
    fi
    keep 6 "$1"
}

finish() {
    local status=0
    ((kept == 0)) || status=3
    printf 'handover snapshot ok %s\n' "${1:0:9}"
    exit "$status"
}

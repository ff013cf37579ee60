#!/usr/bin/env bash
# Writes the state of a Slurm cluster into a file that can be committed to git: first for people, then for programs.
#
# usage: bash cluster_snapshot.sh [FILE]        default: cluster_state.txt
#   CLUSTER_USER=name      whose jobs; default: whoever runs this
#   CLUSTER_HISTORY=7      days of accounting for programs (people get one day)
#   CLUSTER_SECONDS=60     how long one question to Slurm may take
#
# Needs bash 4.3 and Slurm's commands alone. It only asks; it submits, cancels and changes nothing on the cluster.
# The file is written beside itself and renamed, so that nobody ever reads half of it. Exit status: 0 all questions
# were answered, 1 some were not (the file says which), 2 no file was written.
set -u -o pipefail
export LC_ALL=C

people_jobs='%.18i %.9P %.30j %.8u %.8T %.10M %.9l %.6D %R'
people_nodes='%12N %.6D %10P %.11T %.4c %.17G %.8m'
people_history='JobID%20,JobName%30,Partition,State,ExitCode,Elapsed,MaxRSS,NodeList'
history_fields=JobID,JobIDRaw,User,Partition,State,ExitCode,DerivedExitCode,ElapsedRaw,TimelimitRaw,Submit,Start,End,MaxRSS,NodeList,WorkDir,JobName
long_fields=(JobArrayID JobID UserName Partition State TimeUsed TimeLimit NumNodes SubmitTime StartTime tres-per-node
    tres-alloc RestartCnt Reason NodeList Dependency WorkDir STDOUT Name)
short_fields=(%i %A %F %K %P %T %M %l %D %r %N %Z %j)
record=$'\x1e' field=$'\x1f' backslash=\\ newline=$'\n' tab=$'\t' return=$'\r'

main() {
    local file=${1:-cluster_state.txt}
    [[ $# -le 1 && $file != -* ]] || stop "usage: bash cluster_snapshot.sh [FILE]"
    ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 403)) || stop 'this needs bash 4.3'
    [[ ! -d $file ]] || stop "$file is a directory"
    type -P squeue >/dev/null || stop "Slurm's commands are not on PATH"
    forget_settings_of_the_user
    user=${CLUSTER_USER:-${USER:-${LOGNAME:-$(id -un || printf %s "$UID")}}}
    seconds=${CLUSTER_SECONDS:-60}
    days=${CLUSTER_HISTORY:-7}
    [[ $seconds =~ ^[1-9][0-9]{0,4}$ && $days =~ ^[1-9][0-9]{0,3}$ ]] || stop "CLUSTER_SECONDS and CLUSTER_HISTORY are whole numbers"
    printf -v now '%(%s)T' -1
    failed=0
    new=$file.new.$$
    trap 'rm -f -- "$new" "$new.error"' EXIT
    # `set -C` refuses to write over what is there, links included.
    (set -C && : >"$new" && : >"$new.error") || stop "cannot write beside $file"
    settings
    { for_people; for_programs; } >>"$new" || stop "cannot write $new"
    mv -f -- "$new" "$file" || stop "cannot rename $new to $file"
    ((failed == 0)) || printf 'cluster_snapshot: %s is written, but not all questions were answered\n' "$file" >&2
    exit $((failed != 0))
}

stop() {
    printf 'cluster_snapshot: %s\n' "$1" >&2
    exit 2
}

# Whatever would change what Slurm's commands print, but not what says where the cluster is.
forget_settings_of_the_user() {
    local name
    while IFS= read -r name; do
        case $name in
            SLURM_CONF | SLURM_CONF_SERVER | SLURM_JWT) ;;
            SLURM_* | SQUEUE_* | SINFO_* | SACCT_* | SCONTROL_*) unset "$name" ;;
        esac
    done < <(compgen -e)
}

# ask COMMAND...: with a limit where the system has `timeout`. The complaint goes to a file of its own.
ask() {
    if type -P timeout >/dev/null; then
        timeout "$seconds" "$@" 2>"$new.error"
    else
        "$@" 2>"$new.error"
    fi
}

settings() {
    local key value
    cluster='' version=''
    while IFS='=' read -r key value; do
        case ${key%% *} in
            ClusterName) cluster=${value# } ;;
            SLURM_VERSION) version=${value# } ;;
        esac
    done < <(ask scontrol show config)
}

# --- for people ------------------------------------------------------------------------------------------------------

for_people() {
    local part
    printf 'State of the Slurm cluster %s for %s, written by cluster_snapshot.sh\n' "${cluster:-(name unknown)}" "$user"
    TZ=UTC printf 'Taken: %(%Y-%m-%d %H:%M:%S UTC)T\n' "$now"
    declare -A nodes=() jobs=()
    declare -a partitions=()
    heading 'MY JOBS'
    answer squeue --all -u "$user" --format="$people_jobs"
    by_partition nodes sinfo --Node --noheader -o "$record%R$field$people_nodes"
    by_partition jobs squeue --all --noheader --states=RUNNING --format="$record%P$field$people_jobs"
    heading 'GPU AVAILABILITY'
    if [[ -n $nodes_failed ]]; then plain "$nodes_failed"; fi
    for part in "${partitions[@]}"; do
        [[ -n ${nodes[$part]:-} ]] || continue
        printf '%-12s %6s %-10s %11s %4s %17s %8s\n' NODELIST NODES PARTITION STATE CPUS GRES MEMORY
        plain "${nodes[$part]}"
    done
    heading 'RECENT JOB HISTORY (24h)'
    answer sacct -u "$user" -S now-24hours --format="$people_history"
    for part in "${partitions[@]}"; do
        heading "ALL RUNNING JOBS ON $part PARTITION"
        if [[ -n $jobs_failed ]]; then
            plain "$jobs_failed"
            continue
        fi
        printf '%18s %9s %30s %8s %8s %10s %9s %6s %s\n' JOBID PARTITION NAME USER STATE TIME TIME_LIMI NODES 'NODELIST(REASON)'
        plain "${jobs[$part]:-}"
    done
}

heading() { printf '\n=== %s ===\n' "$(printable "$1")"; }

# answer COMMAND...: what it prints, or what it complains about.
answer() {
    local text
    if text=$(ask "$@"); then plain "$text"; else
        failed=1
        plain "$(complaint)"
    fi
}

# by_partition NAME COMMAND...: one question for all; rows go to the array NAME under their partition's name.
by_partition() {
    local -n rows=$1
    local text row part problem=''
    text=$(ask "${@:2}") || {
        failed=1
        problem=$(complaint)
    }
    printf -v "${1}_failed" %s "$problem"
    while IFS= read -r -d "$record" row || [[ -n $row ]]; do
        [[ $row == *"$field"* ]] || continue
        part=${row%%"$field"*}
        if [[ -z ${known[$part]:-} ]]; then
            known[$part]=1
            partitions+=("$part")
        fi
        row=${row#*"$field"}
        # shellcheck disable=SC2004 # the name of a partition, not a number
        rows[$part]=${rows[$part]:-}${row%"$newline"}$newline
    done <<<"$text"
}
declare -A known=()

complaint() {
    local line last=''
    while IFS= read -r line; do [[ -z $line ]] || last=$line; done <"$new.error"
    printf '%s' "${last:-no answer within $seconds s}"
}

# Text line by line, without what moves a cursor; no line of it can be taken for a heading.
plain() {
    local line
    while IFS= read -r line; do
        line=$(printable "$line")
        [[ $line != =* ]] || line=" $line"
        [[ -z $line ]] || printf '%s\n' "$line"
    done <<<"$1"
}

printable() { printf '%s' "${1//[$'\x01'-$'\x08'$'\x0b'-$'\x1f'$'\x7f']/?}"; }

# --- for programs ----------------------------------------------------------------------------------------------------

for_programs() {
    export SLURM_BITSTR_LEN=0 SLURM_TIME_FORMAT=%s
    heading 'FOR PROGRAMS (cluster state 1)'
    printf 'Written for programs. Fields are separated by tabs; a backslash, a tab and a new line inside one are written as \\\\, \\t and \\n.\n'
    printf 'taken_at %s\n' "$now"
    [[ -z $cluster ]] || printf 'cluster %s\n' "$(printable "$cluster")"
    [[ -z $version ]] || printf 'slurm %s\n' "$(printable "$version")"
    printf 'user %s\nsince %s\n' "$(printable "$user")" "$((now - days * 86400))"
    queue
    history
    block nodes node_lines scontrol --details show node
    printf 'end of cluster state\n'
}

# A release that lacks one of the long fields is asked for the letters that all of them know.
queue() {
    local long short text status=0
    printf -v long "%s:$field," "${long_fields[@]}"
    text=$(ask squeue --all --noheader -u "$user" -O "${long%"$field,"}$record") || status=$?
    if ((status != 0)) && [[ $(complaint) == *'format specification'* ]]; then
        printf -v short "$field%s" "${short_fields[@]}"
        block 'squeue short' records squeue --all --noheader -u "$user" -o "$record${short#"$field"}"
    else
        show_block 'squeue long' records "$status" "$text"
    fi
}

# Where jobs work is said where a release knows it.
history() {
    local text status=0
    local -a question=(sacct -u "$user" -S "now-${days}days" -P -D --delimiter="$field")
    text=$(ask "${question[@]}" --format="$history_fields") || status=$?
    if ((status != 0)) && [[ $(complaint) == *'nvalid field requested'*WorkDir* ]]; then
        block sacct lines "${question[@]}" --format="${history_fields/WorkDir,/}"
    else
        show_block sacct lines "$status" "$text"
    fi
}

# block NAME FORM COMMAND...: the answer in a form that git and people can read, how the command ended, and how many
# lines there are: a merge may drop some.
block() {
    local text status=0
    text=$(ask "${@:3}") || status=$?
    show_block "$1" "$2" "$status" "$text"
}

show_block() {
    count=0
    printf 'begin %s\n' "$1"
    "$2" <<<"$4"
    if (($3 != 0)); then
        failed=1
        printf 'error %s\n' "$(printable "$(complaint)")"
    fi
    printf 'end %s %s %s\n' "${1%% *}" "$3" "$count"
}

# shellcheck disable=SC2317 # called by show_block
records() {
    local one
    while IFS= read -r -d "$record" one || [[ -n $one ]]; do
        one=${one#"$newline"}
        one=${one%"$newline"}
        [[ -z $one ]] || visible "$one"
    done
}

# shellcheck disable=SC2317 # called by show_block
lines() {
    local one
    while IFS= read -r one; do [[ -z $one ]] || visible "$one"; done
}

# Of each node what is needed; the rest is long and changes all the time.
# shellcheck disable=SC2317 # called by show_block
node_lines() {
    local one key
    while IFS= read -r one; do
        one=${one#"${one%%[! ]*}"}
        key=${one%%=*}
        case $key in
            Reason) visible "$one" ;;
            NodeName | State | Partitions | Gres | GresUsed | CfgTRES | AllocTRES) visible "${one%% *}" ;;
        esac
    done
}

# shellcheck disable=SC2317 # called by those
visible() {
    local text=$1
    text=${text//"$backslash"/"$backslash$backslash"}
    text=${text//"$newline"/"${backslash}n"}
    text=${text//"$tab"/"${backslash}t"}
    text=${text//"$return"/?}
    text=${text//[$'\x01'-$'\x08'$'\x0b'$'\x0c'$'\x0e'-$'\x1e'$'\x7f']/?}
    printf ':%s\n' "${text//"$field"/"$tab"}"
    count=$((count + 1))
}

main "$@"

# shellcheck shell=bash
# What up, down, scenario and record share. Sourced, never run.

CLUSTER_NAME=handover
# shellcheck disable=SC2034 # for those who source this
NODES=(gpu01 gpu02 gpu03 cpu01 cpu02)

# A caller's own Slurm settings (or the job we may be running in) must not reach the test cluster's commands.
forget_foreign_slurm() {
    local name
    for name in $(compgen -v | grep -E '^(SLURM|SBATCH|SRUN|SALLOC|SQUEUE|SINFO|SACCT|SCONTROL|SCANCEL)' || true); do
        [[ $name == SLURM_CONF ]] || unset "$name"
    done
    export PATH=$PATH:/usr/sbin:/sbin
    export LC_ALL=C.UTF-8
}

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() {
    say "$*"
    exit 1
}

# wait_for SECONDS WHAT COMMAND...: true as soon as the command is; a message and false when the time is over.
wait_for() {
    local limit=$1 what=$2 end
    shift 2
    end=$((SECONDS + limit))
    until "$@"; do
        if ((SECONDS >= end)); then
            say "waited $limit s in vain for: $what"
            return 1
        fi
        sleep 0.2
    done
}

# The directory of an existing cluster: the argument, else the one that `up` exported.
cluster_dir() {
    local dir=${1:-${HANDOVER_TEST_CLUSTER:-}}
    [[ -n $dir ]] || die "which cluster? give its directory, or set HANDOVER_TEST_CLUSTER"
    realpath -m -- "$dir"
}

# Take the addresses of a running cluster from its own file, not from the caller's shell.
use_cluster() {
    [[ -f $1/env ]] || die "no running cluster in $1"
    # shellcheck source=/dev/null
    source "$1/env"
}

# Where sockets and spool directories are: below DIR, or elsewhere if DIR is too long for a socket's name.
run_dir() { cat -- "$1/run_dir" 2>/dev/null || printf '%s/r\n' "$1"; }

# --- whose processes are whose -------------------------------------------------------------------------------------

alive() {
    local state
    state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null) || return 1
    [[ -n $state && $state != Z ]]
}

# Does the process have its working directory or an open file below one of the directories?
touches() {
    local pid=$1 link dir
    shift
    for link in "/proc/$pid/cwd" "/proc/$pid/fd/"*; do
        link=$(readlink -- "$link" 2>/dev/null) || continue
        for dir in "$@"; do
            [[ $link == "$dir" || $link == "$dir/"* ]] && return 0
        done
    done
    return 1
}

# The cluster's daemons: a daemon's program AND files of this cluster. Slurm's programs overwrite their own environment
# (for the title in ps), so nothing planted there would be found again; a recorded pid alone may belong to somebody else by now.
daemons_of() {
    local dir=$1 run=$2 proc exe
    for proc in /proc/[0-9]*; do
        exe=$(readlink -- "$proc/exe" 2>/dev/null) || continue
        exe=${exe% (deleted)}
        case ${exe##*/} in
            slurm* | munged | mariadbd | mysqld) # Debian's slurmd is a link to slurmd-wlm
                if alive "${proc#/proc/}" && touches "${proc#/proc/}" "$dir" "$run"; then
                    printf '%s\n' "${proc#/proc/}"
                fi
                ;;
        esac
    done
}

# Everything that runs below the given processes.
descendants_of() {
    local stat pid parent rest known=" $* " grown=1
    while ((grown)); do
        grown=0
        for stat in /proc/[0-9]*/stat; do
            { read -r pid rest <"$stat"; } 2>/dev/null || continue
            rest=${rest##*) }
            read -r _ parent _ <<<"$rest"
            if [[ $known == *" $parent "* && $known != *" $pid "* ]]; then
                known+="$pid "
                grown=1
                printf '%s\n' "$pid"
            fi
        done
    done
}

# Processes that a job left behind on purpose (own session, no parent) still carry the job's environment.
strays_of() {
    local dir=$1 proc
    for proc in /proc/[0-9]*; do
        if grep -qzxF "SLURM_CONF=$dir/etc/slurm.conf" "$proc/environ" 2>/dev/null &&
            grep -qzxF "SLURM_CLUSTER_NAME=$CLUSTER_NAME" "$proc/environ" 2>/dev/null &&
            grep -qz '^SLURM_JOB_ID=' "$proc/environ" 2>/dev/null &&
            alive "${proc#/proc/}"; then
            printf '%s\n' "${proc#/proc/}"
        fi
    done
}

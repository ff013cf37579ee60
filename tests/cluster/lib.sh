# shellcheck shell=bash
# What up, down, scenario and record share. Sourced, never run.

CLUSTER_NAME=handover
# Slurm's configuration files have no quoting.
# shellcheck disable=SC2034 # for those who source this
PLAIN_PATH='^[A-Za-z0-9_./+@-]+$'
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

# The looks at /proc below are one program each for all processes, not one per process: on a busy machine that is the
# difference between one second and ten. Processes may end between two looks; what cannot be read is no longer there.

# Of the given processes, those that are not zombies.
living() {
    local pid state
    for pid in "$@"; do
        state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$pid/status" 2>/dev/null) || continue
        if [[ -n $state && $state != Z ]]; then printf '%s\n' "$pid"; fi
    done
}

# The cluster's daemons: a daemon's program AND a file of this cluster open, or its directory as working directory. Slurm's
# programs overwrite their own environment (for the title in ps), so nothing planted there would be found again, and
# a recorded pid alone may belong to somebody else by now.
daemons_of() {
    local dir=$1 run=$2 places=() proc
    while read -r proc; do
        places+=("$proc/cwd" "$proc/fd")
    done < <(find /proc/[0-9]*/exe -maxdepth 0 \( -lname '*/slurm*' -o -lname '*/munged*' -o -lname '*/mariadbd*' \
        -o -lname '*/mysqld*' \) -printf '%h\n' 2>/dev/null)
    ((${#places[@]})) || return 0
    # shellcheck disable=SC2046 # one word per process
    living $(find "${places[@]}" -maxdepth 1 \( -lname "$dir" -o -lname "$dir/*" -o -lname "$run/*" \) -print 2>/dev/null |
        cut -d/ -f3 | sort -u)
}

# Everything that runs below the given processes.
descendants_of() {
    (($#)) || return 0
    # shellcheck disable=SC2046 # one word per process
    living $(grep -H '^PPid:' /proc/[0-9]*/status 2>/dev/null | awk -v roots="$*" '
        { split($1, path, "/"); parent[path[3]] = $2 }
        END {
            n = split(roots, root, " ")
            for (i = 1; i <= n; i++) known[root[i]] = 1
            do {
                grown = 0
                for (pid in parent) if (!(pid in known) && (parent[pid] in known)) { known[pid] = grown = 1; print pid }
            } while (grown)
        }')
}

# Processes that a job left behind on purpose (own session, no parent) still carry the job's environment.
strays_of() {
    local dir=$1 file
    while read -r file; do
        if grep -qzxF "SLURM_CLUSTER_NAME=$CLUSTER_NAME" "$file" 2>/dev/null && grep -qz '^SLURM_JOB_ID=' "$file" 2>/dev/null; then
            living "$(cut -d/ -f3 <<<"$file")"
        fi
    done < <(grep -lzxF "SLURM_CONF=$dir/etc/slurm.conf" /proc/[0-9]*/environ 2>/dev/null)
}

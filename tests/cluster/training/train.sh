#!/bin/bash
#SBATCH --job-name=lrgrid
#SBATCH --partition=scavenge
#SBATCH --gres=gpu:1
#SBATCH --mem=500
#SBATCH --time=1
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=logs/%x_%A_%a.out
# One task of the grid in params.csv. usage: sbatch --array=LIST train.sh [--resume CHECKPOINT]
echo "task $SLURM_ARRAY_TASK_ID on $SLURMD_NODENAME, attempt ${SLURM_RESTART_COUNT:-0}"
/usr/bin/python3 -u code/train.py "$@"
status=$?
if ((status == 137)) && [[ -e oom-line/$SLURM_ARRAY_TASK_ID ]]; then
    # What slurmstepd says where control groups watch the memory. Here there are none: the line is planted.
    echo "slurmstepd: error: Detected 1 oom-kill event(s) in StepId=$SLURM_JOB_ID.batch. Some of your processes may have been killed by the cgroup out-of-memory handler." >&2
fi
exit $status

#!/bin/bash
#SBATCH --job-name=@NAME@
#SBATCH --array=1-@COUNT@%@AT_ONCE@
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=@THREADS@
#SBATCH --mem=2G
#SBATCH --time=04:00:00
#SBATCH --output=@LOG@
# Made by handover. Before it is submitted by hand: mkdir -p @OUT@
# Partition and account may be set here, or by SBATCH_PARTITION and SBATCH_ACCOUNT.
# Each task reads one part of @COUNT@ and writes its answer as JSON lines, under its
# final name only when it is whole. When the array is done:
#   @MERGE@
set -euo pipefail
cd -- @DIR@
out=@OUT@/$SLURM_ARRAY_JOB_ID
part=$out/shard-$SLURM_ARRAY_TASK_ID.jsonl
mkdir -p -- "$out"
status=0
@VERB@ --threads @THREADS@ --shard "$SLURM_ARRAY_TASK_ID/@COUNT@" @OPTIONS@ >"$part.tmp" || status=$?
# 1 and 3 are answers too: they say what was found.
case $status in
    0 | 1 | 3) mv -f -- "$part.tmp" "$part" ;;
    *) exit "$status" ;;
esac

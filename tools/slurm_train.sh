#!/usr/bin/env bash
# Train on a slurm cluster.
#
# usage: slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR [arguments of train.py, see train.py --help]
#
# environment: GPUS=8 GPUS_PER_NODE=8 CPUS_PER_TASK=5 SRUN_ARGS="" PYTHON=python
# example:
#   GPUS=16 SRUN_ARGS="--time=2-0" bash tools/slurm_train.sh gpu mine CONFIG work_dirs/mine --resume
set -euo pipefail

TOOLS=$(cd "$(dirname "$0")" && pwd)
source "$TOOLS/misc/launch.sh"

check_arguments 4 "$@"
launch_slurm "$1" "$2" "$TOOLS/train.py" "$3" --work-dir="$4" --launcher=slurm "${@:5}"

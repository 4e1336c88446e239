#!/usr/bin/env bash
# Test on a slurm cluster.
#
# usage: slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [arguments of test.py, see test.py --help]
#
# environment: GPUS=8 GPUS_PER_NODE=8 CPUS_PER_TASK=5 SRUN_ARGS="" PYTHON=python
# example:
#   GPUS=4 GPUS_PER_NODE=4 bash tools/slurm_test.sh gpu mine CONFIG work_dirs/mine/epoch_80.pth --tta
set -euo pipefail

TOOLS=$(cd "$(dirname "$0")" && pwd)
source "$TOOLS/misc/launch.sh"

check_arguments 4 "$@"
launch_slurm "$1" "$2" "$TOOLS/test.py" "$3" "$4" --launcher=slurm "${@:5}"

#!/usr/bin/env bash
# Test on several GPUs, or with several processes on a machine without one.
#
# usage: dist_test.sh CONFIG CHECKPOINT GPUS [arguments of test.py, see test.py --help]
#
# environment: NNODES=1 NODE_RANK=0 MASTER_ADDR=127.0.0.1 PORT=29500 (PORT=auto takes a free one) PYTHON=python
# example:
#   bash tools/dist_test.sh CONFIG work_dirs/mine/epoch_80.pth 4 --tta
set -euo pipefail

TOOLS=$(cd "$(dirname "$0")" && pwd)
source "$TOOLS/misc/launch.sh"

check_arguments 3 "$@"
CONFIG=$1
CHECKPOINT=$2
GPUS=$3
check_count "$GPUS"

launch "$GPUS" "$TOOLS/test.py" "$CONFIG" "$CHECKPOINT" --launcher pytorch "${@:4}"

#!/usr/bin/env bash
# Train on several GPUs, or with several processes on a machine without one.
#
# usage: dist_train.sh CONFIG GPUS [arguments of train.py, see train.py --help]
#
# environment: NNODES=1 NODE_RANK=0 MASTER_ADDR=127.0.0.1 PORT=29500 (PORT=auto takes a free one) PYTHON=python
# examples:
#   bash tools/dist_train.sh CONFIG 4 --amp
#   bash tools/dist_train.sh CONFIG 2 --cfg-options train_dataloader.batch_size=1
#   NNODES=2 NODE_RANK=0 MASTER_ADDR=10.0.0.1 bash tools/dist_train.sh CONFIG 8    # and NODE_RANK=1 on the other
set -euo pipefail

TOOLS=$(cd "$(dirname "$0")" && pwd)
source "$TOOLS/misc/launch.sh"

check_arguments 2 "$@"
CONFIG=$1
GPUS=$2
check_count "$GPUS"

launch "$GPUS" "$TOOLS/train.py" "$CONFIG" --launcher pytorch "${@:3}"

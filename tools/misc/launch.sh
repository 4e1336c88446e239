# Sourced by the launch scripts: checks their arguments and starts torch.distributed.run or srun.

usage() { # print the comment block that opens the calling script
  sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
}

check_arguments() { # check_arguments WANTED [ARGUMENTS...]: help on request or on too few
  local wanted=$1
  shift
  if [[ ${1:-} == -h || ${1:-} == --help ]]; then
    usage
    exit 0
  fi
  if (($# < wanted)); then
    echo "$(basename "$0"): needs $wanted arguments, got $#" >&2
    usage >&2
    exit 2
  fi
}

check_count() { # check_count GPUS: a process count, not a file name
  if [[ ! $1 =~ ^[1-9][0-9]*$ ]]; then
    echo "$(basename "$0"): GPUS must be a positive integer, got '$1': did you swap the arguments?" >&2
    usage >&2
    exit 2
  fi
}

launch() { # launch GPUS SCRIPT [ARGUMENTS...]
  local gpus=$1 python=${PYTHON:-python} port=${PORT:-29500} nnodes=${NNODES:-1} cores
  shift
  if [[ $port == auto ]]; then
    if ((nnodes > 1)); then
      echo "$(basename "$0"): PORT=auto works on one node; with NNODES=$nnodes choose the same PORT on all" >&2
      exit 2
    fi
    port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  fi
  # Processes that compute on the CPU share its cores; torch.distributed.run alone would give each a single thread.
  if [[ ! -e /dev/nvidiactl || ${CUDA_VISIBLE_DEVICES-0} =~ ^(-1|$) ]]; then
    cores=$(getconf _NPROCESSORS_ONLN)
    export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$((cores > gpus ? cores / gpus : 1))}
    # Waiting threads of GNU OpenMP spin for long before they give their core away. Beside two other busy processes a
    # training step on two cores took 40 s so, 1.2 s with this limit (alone 0.45 s either way, 1.05 s with no spinning).
    export GOMP_SPINCOUNT=${GOMP_SPINCOUNT:-30000}
    # Huge pages for torch's tensors, where Linux has them: a prediction of the full network took a tenth less time.
    export THP_MEM_ALLOC_ENABLE=${THP_MEM_ALLOC_ENABLE:-1}
  fi
  export PYTHONPATH="$TOOLS/..${PYTHONPATH:+:$PYTHONPATH}"
  exec "$python" -m torch.distributed.run \
    --nnodes="$nnodes" \
    --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" \
    --nproc_per_node="$gpus" \
    --master_port="$port" \
    "$@"
}

launch_slurm() { # launch_slurm PARTITION JOB_NAME SCRIPT [ARGUMENTS...]
  local partition=$1 job_name=$2 gpus=${GPUS:-8} gpus_per_node=${GPUS_PER_NODE:-8}
  shift 2
  check_count "$gpus"
  check_count "$gpus_per_node"
  local srun_args=()
  read -r -a srun_args <<<"${SRUN_ARGS:-}"
  export PYTHONPATH="$TOOLS/..${PYTHONPATH:+:$PYTHONPATH}"
  set -x
  exec srun -p "$partition" \
    --job-name="$job_name" \
    --gres=gpu:"$gpus_per_node" \
    --ntasks="$gpus" \
    --ntasks-per-node="$gpus_per_node" \
    --cpus-per-task="${CPUS_PER_TASK:-5}" \
    --kill-on-bad-exit=1 \
    ${srun_args[@]+"${srun_args[@]}"} \
    "${PYTHON:-python}" -u "$@"
}

#!/usr/bin/env bash
# Verifies a machine with an NVIDIA GPU, from LibTorch to picture, what matters most first:
#   scripts/checks/gpu.sh [--device cpu] [--carried DIR] [--seconds N] [--archive FILE] [--patience N] [PYTHON]
# PYTHON (default: python3) has a CUDA build of a supported torch, and the other packages of scripts/requirements.txt. Nothing is
# installed: node_modules/ and dist/ must be there. The build goes where every build goes; run "npm run setup" afterwards to come
# back to another LibTorch.
#   --device cpu     the CPU in the GPU's place, to try this script
#   --carried DIR    what "checks.cross_compile --keep DIR" made on another machine: a model with libraries for this GPU. Python
#                    packages in DIR/site are used: pip install --target DIR/site --no-deps diffusers==0.42.1 importlib_metadata
#   --seconds N      begin nothing after so many seconds, and end what runs then; what is left out is named
#   --archive FILE   logs, pictures and figures as one .tar.gz, written anew after every step
#   --patience N     every step may take N times as long: on a machine that does other work
# Every step is tried, also after one that failed. A line says how each ended, when it ended; the exit code is 1 if one failed.
set -uo pipefail
cd "$(dirname "$0")/../.."
device=cuda carried='' archive='' deadline=86400 patience=1
while [[ ${1-} == --* ]]; do
  case $1 in
    --device) device=$2 ;;
    --carried) carried=$(realpath "$2") ;;
    --seconds) deadline=$2 ;;
    --patience) patience=$2 ;;
    --archive) archive=$(realpath -m "$2") ;;
    *) sed -n '2,16s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
  shift 2
done
python=${1:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
logs=$work/results
mkdir -p "$logs"
checkpoint=${carried:-$work}/checkpoint model=$work/model
[[ -z $carried ]] || export PYTHONPATH=$carried/site

# step NAME SECONDS COMMAND...: runs a command, no longer than that; its output goes to NAME.log and, shortened, to the terminal.
failed=0
declare -A running
step() {
  later "$@"
  collect "$1"
}
# later NAME SECONDS COMMAND...: the same in the background; "collect NAME" waits for it.
later() {
  local name=$1 limit=$(($2 * patience)) left=$((deadline - SECONDS))
  shift 2
  if ((left < 5)); then
    echo "left out" > "$work/$name.status"
    running[$name]=
    return
  fi
  {
    timeout --kill-after=5 "$((limit < left ? limit : left))" "$@" > "$logs/$name.log" 2>&1
    echo "$? $SECONDS" > "$work/$name.status"
  } &
  running[$name]=$!
  echo "$SECONDS" > "$work/$name.started"
}
collect() {
  local name=$1 status at started verdict
  [[ -z ${running[$name]} ]] || wait "${running[$name]}"
  read -r status at < "$work/$name.status"
  if [[ $status == left ]]; then
    verdict='left out: no time'
    at=0 started=0
  else
    started=$(< "$work/$name.started")
    case $status in 0) verdict=ok ;; 124 | 137) verdict='FAILED: took too long' ;; *) verdict="FAILED: exit code $status" ;; esac
    tail -n "$([[ $status == 0 ]] && echo 4 || echo 25)" "$logs/$name.log" | cut -c 1-300 | sed 's/^/    /'
    [[ $status == 0 ]] || failed=1
  fi
  printf '%-20s %4s s  %s\n' "$name" "$((at - started))" "$verdict" | tee -a "$logs/summary.txt"
  [[ -z $archive ]] || tar -czf "$archive" -C "$work" results
}

# Differences from the CPU in float32: NAME MODEL DTYPE EMBEDDINGS PIXELS [OPTION...]
compare() {
  step "$1" 60 node scripts/checks/compare-devices.mjs "$2" cpu:float32 "$device:$3" \
    --most-embeddings "$4" --most-pixels "$5" "${@:6}"
}
export_model() { # DTYPE DEVICE
  step "export-$1-$2" 120 "$python" scripts/export.py --prior "$checkpoint/prior" --decoder "$checkpoint/decoder" \
    --image-encoder "$checkpoint/image_encoder" --previewer "$checkpoint/previewer" --out "$model" --device "$2" --dtype "$1" \
    --name small-random --license MIT --default-size 128x128
}
paths() { # NAME MODEL DTYPE [CHECKS]
  step "$1" 120 node scripts/checks/gpu-paths.mjs "$2" "$device" --dtype "$3" --pictures "$logs" ${4:+--only "$4"}
}
exhaust() { # NAME MODEL: with 256 MB for the process, whatever the GPU has
  local total fraction
  [[ $device == cuda ]] || return 0
  total=$(nvidia-smi --query-gpu=memory.total --format=csv,noheader,nounits --id=0)
  fraction=$(awk -v total="$total" 'BEGIN { printf "%.6f", 256 / total }')
  PYTORCH_ALLOC_CONF="per_process_memory_fraction:$fraction" \
    step "$1" 60 node scripts/checks/gpu-paths.mjs "$2" "$device" --only exhaustion
}
# The same pictures as diffusers makes on this device: NAME DTYPE PIXELS CASES
beside_diffusers() {
  PYTHON=$python step "$1" 200 node bench/card.mjs --config small --device "$device" --dtype "$2" --work "$work/card-$2" \
    --cases "$4" --batch-sizes 1,2 --runs 1 --most-pixels "$3" --output "$logs/$1.json"
}

if [[ $device == cuda ]]; then
  command -v nvidia-smi > /dev/null || { echo "Expected NVIDIA's driver, but there is no nvidia-smi" >&2; exit 1; }
  nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv | tee "$logs/machine.txt"
fi
"$python" - "$device" <<'PYTHON' | tee -a "$logs/machine.txt" || exit 1
import sys, torch
print(f"torch {torch.__version__}, CUDA {torch.version.cuda}, {torch.cuda.device_count()} devices")
if sys.argv[1] == "cuda" and not torch.cuda.is_available():
    sys.exit("Expected a GPU that torch can use")
PYTHON
WUERSTCHEN_LIBTORCH=$("$python" -c 'import torch; print(torch.__path__[0])')
export WUERSTCHEN_LIBTORCH

# Whatever needs no Node is done beside the build. Programs that were made on a CPU run on a GPU, and so do their libraries.
later build 240 node scripts/build.mjs --tests --native --libtorch "$WUERSTCHEN_LIBTORCH"
if [[ -n $carried ]]; then
  cp -r "$carried/model" "$work/carried"
  step verify-carried 120 "$python" scripts/export.py --verify "$work/carried" --device "$device" --dtype float16
else
  step checkpoint 60 env PYTHONPATH=scripts "$python" -m models.random_checkpoint --config small --seed 0 --out "$checkpoint"
fi
export_model float16 "$device"
export_model float32 cpu
collect build
later ctest 180 ctest --test-dir build --output-on-failure --parallel 4
step doctor 60 node dist/cli/main.js doctor --model "$model"

# Right pictures, with the libraries where there are some.
compare float16 "$model" float16 0.05 8
[[ -z $carried ]] || compare carried-float16 "$work/carried" float16 0.05 8 --kind aoti
# Convolutions may use TF32 on the GPU, so float32 differs by more than rounding unless that is turned off.
NVIDIA_TF32_OVERRIDE=0 compare float32-exact "$model" float32 0.0005 0.1
NVIDIA_TF32_OVERRIDE=0 beside_diffusers diffusers-float32 float32 0.5 torchscript,eager
paths paths-float16 "$model" float16 batches,cancels,memory,placements
[[ -z $carried ]] || paths paths-carried "$work/carried" float16 batches,cancels,memory
exhaust exhaustion "$model"
collect ctest

# Whatever time is left for.
cp -r "$model" "$work/compiled"
later compile-float16 300 "$python" scripts/export.py --compile "$work/compiled" --device "$device" --dtype float16 \
  --stages prior decoder vqDecoder
[[ $device == cpu ]] || export_model float32 "$device"
compare float32 "$model" float32 0.01 2
paths paths-rest "$model" float16 residency,errors,tensors,stage,previews,modifies
step generate 60 node dist/cli/main.js generate "a red heart" --model "$model" --device "$device" --seed 7 \
  --output "$logs/heart.png" --json --quiet
export_model bfloat16 "$device"
compare bfloat16 "$model" bfloat16 0.3 8
NVIDIA_TF32_OVERRIDE=0 paths paths-float32 "$model" float32
collect compile-float16
compare compiled-float16 "$work/compiled" float16 0.05 8 --kind aoti
paths paths-compiled "$work/compiled" float16 batches,residency,cancels,memory,placements
exhaust exhaustion-compiled "$work/compiled"
beside_diffusers diffusers-float16 float16 16 torchscript,eager

[[ $device == cpu ]] || nvidia-smi --query-gpu=memory.used,utilization.gpu --format=csv
echo "--- summary, $SECONDS s"
cat "$logs/summary.txt"
((failed)) && { echo "gpu: something failed"; exit 1; }
echo "gpu: nothing failed"

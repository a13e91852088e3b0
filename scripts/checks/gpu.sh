#!/usr/bin/env bash
# Verifies a machine with an NVIDIA GPU, from LibTorch to picture:
#   scripts/checks/gpu.sh [--device cpu] [--keep DIR] [PYTHON]
# PYTHON (default: python3) has a CUDA build of a supported torch, and the other packages of scripts/requirements.txt. Nothing is
# installed: node_modules/ must be there. The build goes where every build goes; run "npm run setup" afterwards to come back to
# another LibTorch.   --device cpu   the CPU in the GPU's place, to try this script
#   --keep DIR     leave logs and pictures in DIR
# Every step is tried, also after one that failed. The last lines say which did; the exit code is 1 then.
set -uo pipefail
cd "$(dirname "$0")/../.."
device=cuda keep=
while [[ ${1-} == --* ]]; do
  case $1 in
    --device) device=$2; shift 2 ;;
    --keep) keep=$2; shift 2 ;;
    *) sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
done
python=${1:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
logs=${keep:-$work/logs} checkpoint=$work/checkpoint model=$work/model
mkdir -p "$logs"
logs=$(cd "$logs" && pwd)

# step NAME SECONDS COMMAND...: runs a command, no longer than that; its output goes to the terminal and to NAME.log.
summary=() failed=0
step() {
  local name=$1
  echo "--- $name"
  timed "$@" 2>&1 | tee "$logs/$name.log"
  record "$name"
}

# later NAME SECONDS COMMAND...: the same in the background; "collect NAME" waits for it.
declare -A running
later() {
  timed "$@" > "$logs/$1.log" 2>&1 &
  running[$1]=$!
}
collect() {
  wait "${running[$1]}"
  echo "--- $1"
  tail -n 30 "$logs/$1.log"
  record "$1"
}

timed() {
  local name=$1 limit=$2 start=$SECONDS status=0
  shift 2
  timeout --kill-after=5 "$limit" "$@" || status=$?
  echo "$status $((SECONDS - start))" > "$work/$name.status"
  return "$status"
}
record() {
  local status seconds verdict=ok
  read -r status seconds < "$work/$1.status"
  case $status in 0) ;; 124 | 137) verdict="FAILED: took too long" ;; *) verdict="FAILED: exit code $status" ;; esac
  [[ $status == 0 ]] || failed=1
  summary+=("$(printf '%-22s %4s s  %s' "$1" "$seconds" "$verdict")")
}

export_model() { # DTYPE DEVICE
  step "export-$1-$2" 120 "$python" scripts/export.py --prior "$checkpoint/prior" --decoder "$checkpoint/decoder" \
    --image-encoder "$checkpoint/image_encoder" --previewer "$checkpoint/previewer" --out "$model" \
    --device "$2" --dtype "$1" --name small-random --license MIT --default-size 128x128
}
compare() { # NAME DTYPE EMBEDDINGS PIXELS [MODEL [--kind KIND]]: allowed differences from the CPU in float32
  step "$1" 60 node scripts/checks/compare-devices.mjs "${5:-$model}" cpu:float32 "$device:$2" --most-embeddings "$3" --most-pixels "$4" "${@:6}"
}

echo "--- the machine"
if [[ $device == cuda ]]; then
  command -v nvidia-smi > /dev/null || { echo "Expected a machine with an NVIDIA driver, but there is no nvidia-smi" >&2; exit 1; }
  nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv
fi
"$python" - "$device" <<'PYTHON' || exit 1
import sys, torch
print(f"torch {torch.__version__}, CUDA {torch.version.cuda}, {torch.cuda.device_count()} devices")
if sys.argv[1] == "cuda" and not torch.cuda.is_available():
    sys.exit("Expected a GPU that torch can use")
PYTHON
WUERSTCHEN_LIBTORCH=$("$python" -c 'import torch; print(torch.__path__[0])')
export WUERSTCHEN_LIBTORCH

# The addon is built beside the exports, which need no Node, and libraries are compiled beside what needs none.
# dist/ is taken as it is where it is there: such machines often reach no registry.
[[ -d dist ]] && native=--native || native=
later build 900 node scripts/build.mjs --tests $native --libtorch "$WUERSTCHEN_LIBTORCH"
step checkpoint 60 env PYTHONPATH=scripts "$python" -m models.random_checkpoint --config small --seed 0 --out "$checkpoint"
for dtype in float16 float32 bfloat16; do export_model "$dtype" "$device"; done
[[ $device == cpu ]] || export_model float32 cpu
# A folder each, as they are made at the same time.
for dtype in float16 float32; do
  cp -r "$model" "$work/compiled-$dtype"
  later "compile-$dtype" 300 "$python" scripts/export.py --compile "$work/compiled-$dtype" --device "$device" --dtype "$dtype" --stages prior decoder vqDecoder
done
collect build
step doctor 60 node dist/cli/main.js doctor --model "$model"
step ctest 120 ctest --test-dir build --output-on-failure --parallel 4

# Convolutions may use TF32 on the GPU, so float32 differs by more than rounding unless that is turned off.
NVIDIA_TF32_OVERRIDE=0 compare float32-exact float32 0.0005 0.1
compare float32 float32 0.01 2
compare float16 float16 0.05 8
compare bfloat16 bfloat16 0.3 8
NVIDIA_TF32_OVERRIDE=0 step paths-float32 120 node scripts/checks/gpu-paths.mjs "$model" "$device" --dtype float32
step paths-float16 120 node scripts/checks/gpu-paths.mjs "$model" "$device" --dtype float16 --pictures "$logs"
if [[ $device == cuda ]]; then
  # 256 MB for the process, whatever the GPU has.
  total=$(nvidia-smi --query-gpu=memory.total --format=csv,noheader,nounits --id=0)
  fraction=$(awk -v total="$total" 'BEGIN { printf "%.6f", 256 / total }')
  exhaust() { PYTORCH_ALLOC_CONF="per_process_memory_fraction:$fraction" step "$1" 60 node scripts/checks/gpu-paths.mjs "$2" "$device" --only exhaustion; }
  exhaust exhaustion "$model"
fi
step generate 60 node dist/cli/main.js generate "a red heart" --model "$model" --device "$device" --seed 7 --output "$logs/heart.png" --json --quiet

for dtype in float16 float32; do collect "compile-$dtype"; done
NVIDIA_TF32_OVERRIDE=0 compare compiled-float32 float32 0.0005 0.1 "$work/compiled-float32" --kind aoti
compare compiled-float16 float16 0.05 8 "$work/compiled-float16" --kind aoti
step paths-compiled 120 node scripts/checks/gpu-paths.mjs "$work/compiled-float16" "$device" --dtype float16 --only batches,residency,cancels,memory,placements
[[ $device == cpu ]] || exhaust exhaustion-compiled "$work/compiled-float16"

[[ $device == cpu ]] || nvidia-smi --query-gpu=memory.used,utilization.gpu --format=csv
echo "--- summary"
printf '%s\n' "${summary[@]}"
((failed)) && { echo "gpu: something failed"; exit 1; }
echo "gpu: all passed"

#!/usr/bin/env bash
# Verifies a machine with an NVIDIA GPU, from LibTorch to picture:
#   scripts/gpu_check.sh [PYTHON]
# PYTHON (default: python3) has a CUDA build of torch 2.13 and the packages of scripts/requirements.txt. Nothing is installed
# but npm packages. The build goes where every build goes; run "npm run setup" afterwards to come back to another LibTorch.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo "--- the machine"
command -v nvidia-smi > /dev/null || { echo "Expected a machine with an NVIDIA driver, but there is no nvidia-smi" >&2; exit 1; }
nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv
"$python" - <<'PYTHON'
import sys, torch
print(f"torch {torch.__version__}, CUDA {torch.version.cuda}, {torch.cuda.device_count()} devices")
if not torch.__version__.startswith("2.13."):
    sys.exit("Expected torch 2.13: the addon is built for that version and refuses others")
if not torch.cuda.is_available():
    sys.exit("Expected a GPU that torch can use")
PYTHON

echo "--- set-up against its LibTorch"
WUERSTCHEN_LIBTORCH=$("$python" -c 'import torch; print(torch.__path__[0])')
export WUERSTCHEN_LIBTORCH
node scripts/setup.mjs
node dist/cli/main.js doctor --model models/tiny

echo "--- export of a small random model for the GPU"
"$python" scripts/random_checkpoint.py --config small --seed 0 --out "$work/checkpoint"
for dtype in float32 float16; do
  "$python" scripts/export.py --prior "$work/checkpoint/prior" --decoder "$work/checkpoint/decoder" --out "$work/cuda" \
    --device cuda --dtype "$dtype" --name small-random --license MIT --default-size 128x128
done
"$python" scripts/export.py --prior "$work/checkpoint/prior" --decoder "$work/checkpoint/decoder" --out "$work/cuda" \
  --device cpu --dtype float32 --name small-random --license MIT --default-size 128x128

echo "--- GPU against CPU"
# Convolutions may use TF32 on the GPU, so float32 differs by more than rounding.
node scripts/compare_devices.mjs "$work/cuda" cpu:float32 cuda:float32 --most-embeddings 0.01 --most-pixels 2
node scripts/compare_devices.mjs "$work/cuda" cpu:float32 cuda:float16 --most-embeddings 0.05 --most-pixels 8

echo "--- command line"
node dist/cli/main.js generate "a red heart" --model "$work/cuda" --device cuda --seed 7 --output "$work/heart.png" --json --quiet
node dist/cli/main.js inspect "$work/heart.png"
nvidia-smi --query-gpu=memory.used,utilization.gpu --format=csv
echo "gpu_check: all passed"

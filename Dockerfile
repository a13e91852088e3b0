# syntax=docker/dockerfile:1
# The addon is built with the headers of the LibTorch that the pinned Python package brings; of that package only the libraries
# and the licences go along. PIP_INDEX_URL chooses the build: PyTorch's index of CPU builds makes an image of some 900 MB, its
# index of a CUDA version one of some gigabytes that uses the GPU.
ARG NODE=22-bookworm-slim

FROM node:${NODE} AS build
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates cmake g++ make python3 python3-venv \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /app
# What takes long comes first, and depends on the least: an edited page builds no C++ and downloads nothing.
COPY scripts/requirements.txt scripts/
ARG PIP_INDEX_URL
RUN python3 -m venv /opt/venv && /opt/venv/bin/pip install --no-cache-dir "$(grep '^torch==' scripts/requirements.txt)"
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY CMakeLists.txt LICENSE ./
COPY cpp cpp
COPY lib/install lib/install
COPY scripts scripts
# LibTorch's libraries find NVIDIA's beside their own package, where it is a CUDA build.
RUN packages=$(echo /opt/venv/lib/python3*/site-packages) \
  && node scripts/release/addons.mjs --out "/addons/linux-$(node -p process.arch)" --libtorch "$packages/torch" \
  && mkdir -p /runtime/opt/python/torch \
  && cp -a "$packages/torch/lib" "$packages/torch/version.py" /runtime/opt/python/torch/ \
  && if [ -d "$packages/nvidia" ]; then cp -a "$packages/nvidia" /runtime/opt/python/; fi \
  && cd "$packages" && find . -ipath './torch-*.dist-info/*licens*' -type f -o -ipath './nvidia_*.dist-info/*licens*' -type f \
  | xargs cp --parents -t /runtime/opt/python
COPY . .
RUN node -e "import('./scripts/setup/typescript.mjs').then(({ buildTypescript }) => buildTypescript())" \
  && npm prune --omit=dev \
  && npm install --no-save --omit=dev --ignore-scripts bullmq@6.7.0 ioredis@5.11.1 pg@8.23.1 aws4fetch@1.0.20 \
  && cp -a /addons node_modules/@wuerstchen \
  && mkdir -p /runtime/app \
  && mv node_modules /runtime/ \
  && cp -a package.json LICENSE dist models /runtime/app/

FROM node:${NODE}
RUN apt-get update \
  && apt-get install -y --no-install-recommends libgomp1 \
  && rm -rf /var/lib/apt/lists/* \
  && useradd --system --no-create-home --uid 65532 wuerstchen
# A layer each, the largest first: a new version of the package alone repeats the last one.
COPY --from=build /runtime/opt /opt
COPY --from=build /runtime/node_modules /app/node_modules
COPY --from=build /runtime/app /app
WORKDIR /app
# By number: with runAsNonRoot, Kubernetes refuses an image whose user has only a name.
USER 65532
ENV NODE_ENV=production WUERSTCHEN_HOST=0.0.0.0 WUERSTCHEN_PORT=8080 WUERSTCHEN_LIBTORCH=/opt/python/torch
EXPOSE 8080
# Asks by the name of this machine, which needs no key.
HEALTHCHECK --interval=15s --timeout=5s --start-period=120s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.WUERSTCHEN_PORT}/readyz`).then(reply => process.exit(reply.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "dist/cli/main.js", "serve"]

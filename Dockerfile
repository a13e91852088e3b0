# syntax=docker/dockerfile:1
# The addon is built against the LibTorch that the pinned Python package brings; of that package only the libraries go along.
ARG NODE=22-bookworm-slim

FROM node:${NODE} AS build
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates cmake g++ make python3 python3-venv \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY . .
# Keeps symbolic links: the addon finds LibTorch's libraries where they were when it was built.
RUN npm run setup \
  && npm prune --omit=dev \
  && libtorch=$(node -p "require('./build/Release/wuerstchen.build.json').libtorch.directory") \
  && mkdir -p "/runtime$libtorch" \
  && cp -a "$libtorch/lib" "/runtime$libtorch/" \
  && cd "$libtorch" && cp -a --parents include/torch/headeronly/version.h "/runtime$libtorch/" && cd /app \
  && mkdir -p /runtime/app/build/Release \
  && cp -a build/Release/wuerstchen.node build/Release/wuerstchen.build.json /runtime/app/build/Release/ \
  && cp -a package.json dist node_modules models /runtime/app/

FROM node:${NODE}
RUN apt-get update \
  && apt-get install -y --no-install-recommends libgomp1 \
  && rm -rf /var/lib/apt/lists/* \
  && useradd --system --no-create-home wuerstchen
COPY --from=build /runtime /
WORKDIR /app
USER wuerstchen
ENV NODE_ENV=production WUERSTCHEN_HOST=0.0.0.0 WUERSTCHEN_PORT=8080
EXPOSE 8080
# Asks by the name of this machine, which needs no key.
HEALTHCHECK --interval=15s --timeout=5s --start-period=120s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.WUERSTCHEN_PORT}/readyz`).then(reply => process.exit(reply.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "dist/cli/main.js", "serve"]

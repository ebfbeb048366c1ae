# The worker: `node dist/main.js`, as a user without rights, with nothing that it needs to write to.
#   docker build --build-arg TIDEMILL_COMMIT=$(git rev-parse HEAD) -t tidemill .
#   docker run --read-only --env-file .env -p 9300:9300 tidemill

ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
# No package of production has a script to run at installation.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY .ci/build.ts ./.ci/
COPY src ./src
RUN node .ci/build.ts
# The bundle has all packages in it but two, of which Node loads no more than this.
WORKDIR /out
RUN cp -r /app/package.json /app/dist . \
    && mkdir -p node_modules/parquet-wasm node_modules/piscina \
    && cd /app/node_modules/parquet-wasm && cp -r node package.json LICENSE* /out/node_modules/parquet-wasm \
    && cd ../piscina && cp -r dist package.json LICENSE /out/node_modules/piscina \
    && find /out/node_modules -name '*.ts' -delete
COPY docker/worker/check-imports.mjs ./
RUN node check-imports.mjs && rm check-imports.mjs

FROM ${NODE_IMAGE}
WORKDIR /app
# Stack traces in the log name the TypeScript sources. The main thread's young garbage is held to 24 MiB of 96, and
# glibc to two arenas, which otherwise are eight a core and each keep what was freed in them.
ENV NODE_ENV=production NODE_OPTIONS="--enable-source-maps --max-semi-space-size=8" MALLOC_ARENA_MAX=2
COPY LICENSE ./
COPY --from=build /out ./
USER node
EXPOSE 9300
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PROMETHEUS_PORT || 9300}/healthz`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# Node is process 1 and takes SIGTERM itself; main.js drains and exits with 0.
CMD ["node", "dist/main.js"]

# Last, so that another commit changes no layer above.
ARG TIDEMILL_COMMIT=unknown
ENV TIDEMILL_COMMIT=${TIDEMILL_COMMIT}
LABEL org.opencontainers.image.title="tidemill" \
      org.opencontainers.image.description="A queue-driven data-plane worker for a Parquet lake" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.vendor="The Tidemill authors" \
      org.opencontainers.image.revision="${TIDEMILL_COMMIT}"

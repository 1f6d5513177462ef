# docker build --tag hfscan . && docker run --rm --volume "$PWD:/data" hfscan report
FROM python:3.12-slim AS base
# a process in a container has no terminal to buffer for
ENV PYTHONUNBUFFERED=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN useradd --create-home --uid 1000 hfscan

# docker build --target demo . passes if `make demo` does
FROM base AS demo
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /home/hfscan/checkout
COPY --chown=hfscan:hfscan . .
RUN chown hfscan:hfscan .
USER 1000
RUN make demo

FROM base
RUN --mount=type=bind,target=/src,rw \
    pip install --no-cache-dir --constraint /src/constraints/base.txt "/src[mcp]" \
    && install --directory --owner=hfscan /data
USER 1000
WORKDIR /data
ENTRYPOINT ["hfscan"]

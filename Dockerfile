# Two images: `--target operator` and `--target signer`.
#
# By default the binaries are compiled here:
#     docker build --target signer -t igra.dev/signer:dev .
# With BINARIES=prebuilt they are taken from the build context, which then needs to hold just these two files,
# compiled on a machine whose C library is not newer than Debian 12's:
#     docker build --target signer --build-arg BINARIES=prebuilt -f Dockerfile -t igra.dev/signer:dev FOLDER
ARG BINARIES=builder

FROM docker.io/library/rust:1.91-bookworm AS builder
RUN apt-get update \
 && apt-get install --yes --no-install-recommends clang-14 libclang-14-dev libprotobuf-dev protobuf-compiler \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN cargo build --release --locked --package igra-operator --package igra-signer \
 && mkdir /binaries \
 && cp target/release/igra-operator target/release/igra-signer /binaries/

FROM scratch AS prebuilt
COPY igra-operator igra-signer /binaries/

FROM ${BINARIES} AS binaries

# The runtime stages run no command, so that they also build where there is no network. The user needs no entry in
# /etc/passwd; 65532 is the usual number for "nobody in particular" in images.
FROM docker.io/library/debian:bookworm-slim AS operator
COPY --from=binaries /binaries/igra-operator /usr/local/bin/igra-operator
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/igra-operator"]

FROM docker.io/library/debian:bookworm-slim AS signer
COPY --from=binaries /binaries/igra-signer /usr/local/bin/igra-signer
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/igra-signer"]

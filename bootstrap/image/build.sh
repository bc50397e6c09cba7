#!/usr/bin/env bash
# Builds the image: with docker, podman or buildah where one works, else with the assembler, which needs Go only.
# usage: build.sh NAME [ISTIO_VERSION]; BUILDER=docker|podman|buildah|assemble picks one. The assembler, and only it, leaves
# the archive bin/image.tar, for docker load, podman load, ctr images import and kind load image-archive.
set -euo pipefail
cd "$(dirname "$0")/../.."
name=${1:-localhost/troupe:dev} istio=${2:-1.31.0} builder=${BUILDER:-}
version=$(git describe --tags --always --dirty 2>/dev/null || true)

works() { command -v "$1" >/dev/null 2>&1 && "$1" info >/dev/null 2>&1; }
if [ -z "$builder" ]; then
  builder=assemble
  for candidate in docker podman buildah; do
    if works "$candidate"; then builder=$candidate; break; fi
  done
fi
echo "building $name with $builder"
case $builder in
  docker|podman|buildah)
    "$builder" build -f bootstrap/image/Dockerfile -t "$name" --build-arg VERSION="$version" --build-arg ISTIO_VERSION="$istio" . ;;
  assemble)
    mkdir -p bin
    CGO_ENABLED=0 go build -trimpath -ldflags="-s -w -X github.com/troupe-mesh/troupe/bootstrap/version.release=$version" \
      -o bin/image-binary ./bootstrap/troupe
    go run -C bootstrap/image/assemble . -name "$name" -istio "$istio" -binary "$PWD/bin/image-binary" -out "$PWD/bin/image.tar" ;;
  *) echo "BUILDER=$builder is none of docker, podman, buildah, assemble" >&2; exit 1 ;;
esac

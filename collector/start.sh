#!/usr/bin/env bash
# Starts Jaeger and the Collector on this machine, with the files and on the ports of docker-compose.yml; Ctrl-C stops both.
# Spans and queue are kept in ${AGENTOS_OTEL_BACKENDS_DIR:-~/.local/state/agentos-otel/backends}.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
bin=$("$here/build.sh")
data=${AGENTOS_OTEL_BACKENDS_DIR:-${XDG_STATE_HOME:-$HOME/.local/state}/agentos-otel/backends}
mkdir -p -m 700 "$data"
export JAEGER_HOST=${JAEGER_HOST:-127.0.0.1} OTELCOL_HOST=${OTELCOL_HOST:-127.0.0.1}
export OTELCOL_UPSTREAM=${OTELCOL_UPSTREAM:-$JAEGER_HOST:14317}
export JAEGER_DATA=$data/jaeger JAEGER_UI=$here OTELCOL_DATA=$data/queue OTELCOL_CONFIG=$here
export OTELCOL_KEEP_REST=${OTELCOL_KEEP_REST:-100} # on one machine everything is of interest
pids=()
stop() { trap - EXIT INT TERM; kill "${pids[@]}" 2>/dev/null || true; wait "${pids[@]}" 2>/dev/null || true; }
trap stop EXIT
trap 'exit 0' INT TERM
"$bin/jaeger" --config "file:$here/jaeger.yaml" >"$data/jaeger.log" 2>&1 & pids+=($!)
"$bin/otelcol" --config "file:$here/gateway.yaml" >"$data/collector.log" 2>&1 & pids+=($!)
listens() { (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null; }
for ((tries = 0; tries < 600; tries++)); do
  for pid in "${pids[@]}"; do kill -0 "$pid" 2>/dev/null || break 2; done
  if listens "$JAEGER_HOST" 16686 && listens "$OTELCOL_HOST" 4318; then
    echo "Jaeger: http://$JAEGER_HOST:16686   logs and data: $data"
    echo "now: export OTEL_EXPORTER_OTLP_ENDPOINT=http://$OTELCOL_HOST:4318 AGENTOS_OTEL_JAEGER_URL=http://$JAEGER_HOST:16686"
    break
  fi
  sleep 0.1
done
wait -n "${pids[@]}" || true # one that ends by itself takes the other along
for name in jaeger collector; do
  error=$(grep -m 1 -E '^Error|[^a-z]error[^a-z].*(bind|lock|failed)' "$data/$name.log" || true)
  [ -z "$error" ] || echo "$name: $error" >&2
done
exit 1

#!/bin/sh
# Lines for `report blog`, as JSON.
set -eu
deploys=$(grep -c " of $MINIPAAS_APP is " "$MINIPAAS_PLUGIN_DATA/history" 2>/dev/null || true)
echo "{\"example-deploys\": ${deploys:-0}}"

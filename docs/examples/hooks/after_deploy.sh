#!/bin/sh
# Runs for every release that is live. What is printed goes to the user, and no failure here takes the release back.
set -eu
echo "release $MINIPAAS_RELEASE of $MINIPAAS_APP is on air, said $MINIPAAS_CALLER" | tee -a "$MINIPAAS_PLUGIN_DATA/history"

#!/bin/sh
# Lets InfluxQL, which the dashboard speaks, read the bucket as a database of the same name (a DBRP mapping).
# The image of InfluxDB 2 runs this once, after its first setup, with the variables of that setup.
set -eu
influx v1 dbrp create \
  --bucket-id "$DOCKER_INFLUXDB_INIT_BUCKET_ID" \
  --db "$DOCKER_INFLUXDB_INIT_BUCKET" \
  --rp autogen \
  --default \
  --org "$DOCKER_INFLUXDB_INIT_ORG"

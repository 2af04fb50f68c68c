#!/bin/sh
# Rebuilds ../gen/*.binpb.gz: the Go modules' messages and those of ../sluice. Needs Go, nothing else.
set -e
cd "$(dirname "$0")"
envoy=github.com/envoyproxy/go-control-plane
{
  echo '// Made by generate.sh: every package whose messages go into the descriptor set.'
  echo
  echo 'package main'
  echo
  echo 'import ('
  {
    go list "$envoy/envoy/..." "$envoy/contrib/..." "$envoy/ratelimit/..." \
      github.com/cncf/xds/go/udpa/... github.com/cncf/xds/go/xds/... | grep -v '/internal/'
    go list go.opentelemetry.io/proto/otlp/...
    echo github.com/envoyproxy/protoc-gen-validate/validate
    echo google.golang.org/genproto/googleapis/rpc/errdetails
    echo google.golang.org/grpc/health/grpc_health_v1
  } | LC_ALL=C sort -u | sed 's/.*/\t_ "&"/'
  echo ')'
} > imports.go
go mod tidy
go run .

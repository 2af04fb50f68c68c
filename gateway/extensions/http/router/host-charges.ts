import type { Host } from '#gateway/api/upstream.ts';
import { httpStatusOfGrpc } from '#gateway/protocol/grpc/status.ts';

/** Counts a gRPC answer of a host by its status; null: none came. */
export function chargeGrpcAnswer(host: Host, grpcStatus: number | null): void {
  if (grpcStatus !== null && httpStatusOfGrpc(grpcStatus) < 500) host.stats.rqSuccess.inc();
  else host.stats.rqError.inc();
}

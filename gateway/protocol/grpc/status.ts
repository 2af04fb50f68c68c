import { parseContentLength } from '../headers/content-length.ts';

/** gRPC status codes, as on the wire. */
export const GrpcStatus = {
  Ok: 0,
  Canceled: 1,
  Unknown: 2,
  InvalidArgument: 3,
  DeadlineExceeded: 4,
  NotFound: 5,
  AlreadyExists: 6,
  PermissionDenied: 7,
  ResourceExhausted: 8,
  FailedPrecondition: 9,
  Aborted: 10,
  OutOfRange: 11,
  Unimplemented: 12,
  Internal: 13,
  Unavailable: 14,
  DataLoss: 15,
  Unauthenticated: 16,
} as const;
/** @see GrpcStatus. A peer may send other numbers; they stay what they are. */
export type GrpcStatus = number;

/** Names by code, as access logs show them with %GRPC_STATUS%. */
export const grpcStatusNames: readonly string[] = [
  'OK',
  'Canceled',
  'Unknown',
  'InvalidArgument',
  'DeadlineExceeded',
  'NotFound',
  'AlreadyExists',
  'PermissionDenied',
  'ResourceExhausted',
  'FailedPrecondition',
  'Aborted',
  'OutOfRange',
  'Unimplemented',
  'Internal',
  'Unavailable',
  'DataLoss',
  'Unauthenticated',
];

/** HTTP status by gRPC code. */
const httpStatuses: readonly number[] = [
  200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401,
];

/** The HTTP status that says the same as a gRPC status; 500 for unknown codes. */
export function httpStatusOfGrpc(code: GrpcStatus): number {
  return httpStatuses[code] ?? 500;
}

/** The gRPC status for an HTTP answer that carried none. gRPC's "HTTP to gRPC status code mapping". */
export function grpcStatusOfHttp(status: number): GrpcStatus {
  switch (status) {
    case 400:
      return GrpcStatus.Internal;
    case 401:
      return GrpcStatus.Unauthenticated;
    case 403:
      return GrpcStatus.PermissionDenied;
    case 404:
      return GrpcStatus.Unimplemented;
    case 429:
    case 502:
    case 503:
    case 504:
      return GrpcStatus.Unavailable;
    default:
      return GrpcStatus.Unknown;
  }
}

/** Reads a `grpc-status` value; null when absent, -1 when it is not a number. */
export function readGrpcStatus(value: string | null): GrpcStatus | null {
  return value === null ? null : parseContentLength(value);
}

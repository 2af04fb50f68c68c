import type { FormatterContext } from '#gateway/api/access-log.ts';

/** Name of each gRPC status by number: as Envoy's CAMEL_STRING and SNAKE_STRING. */
export const grpcStatusNames: readonly (readonly [camel: string, snake: string])[] = [
  ['OK', 'OK'],
  ['Canceled', 'CANCELLED'],
  ['Unknown', 'UNKNOWN'],
  ['InvalidArgument', 'INVALID_ARGUMENT'],
  ['DeadlineExceeded', 'DEADLINE_EXCEEDED'],
  ['NotFound', 'NOT_FOUND'],
  ['AlreadyExists', 'ALREADY_EXISTS'],
  ['PermissionDenied', 'PERMISSION_DENIED'],
  ['ResourceExhausted', 'RESOURCE_EXHAUSTED'],
  ['FailedPrecondition', 'FAILED_PRECONDITION'],
  ['Aborted', 'ABORTED'],
  ['OutOfRange', 'OUT_OF_RANGE'],
  ['Unimplemented', 'UNIMPLEMENTED'],
  ['Internal', 'INTERNAL'],
  ['Unavailable', 'UNAVAILABLE'],
  ['DataLoss', 'DATA_LOSS'],
  ['Unauthenticated', 'UNAUTHENTICATED'],
];

/** gRPC status for an HTTP status that came without one. gRPC's "HTTP to gRPC Status Code Mapping". */
export function httpToGrpcStatus(status: number): number {
  switch (status) {
    case 400:
      return 13;
    case 401:
      return 16;
    case 403:
      return 7;
    case 404:
      return 12;
    case 429:
    case 502:
    case 503:
    case 504:
      return 14;
    default:
      return 2;
  }
}

/** The gRPC status of an answer: of its trailers, else of its headers, else from its HTTP status; null when there was none. */
export function grpcStatusOf({ request, response, trailers, streamInfo }: FormatterContext): number | null {
  if (request === null) return null;
  const text = (trailers ?? streamInfo.responseTrailers)?.get('grpc-status') ?? response?.headers.get('grpc-status');
  if (text !== null && text !== undefined) return /^\d+$/.test(text) ? Number(text) : 2;
  const status = response?.status ?? streamInfo.responseCode;
  return status === 0 ? null : httpToGrpcStatus(status);
}

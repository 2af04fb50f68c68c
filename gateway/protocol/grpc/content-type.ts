const grpc = 'application/grpc';

/** Whether a Content-Type is gRPC's: `application/grpc`, or that with `+proto` and the like. gRPC-Web is not. */
export function isGrpcContentType(contentType: string | null): boolean {
  if (contentType === null || !contentType.startsWith(grpc)) return false;
  return contentType.length === grpc.length || contentType.charCodeAt(grpc.length) === 0x2b;
}

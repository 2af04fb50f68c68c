import type { GrpcAsyncClient } from '#gateway/api/async-client.ts';
import type { ExtensionContext } from '#gateway/api/context.ts';
import type { JsonValue } from '#gateway/api/stream-info.ts';
import type { Cancellable } from '#gateway/api/upstream.ts';
import { appendActionOf, headerValueText } from '#gateway/config/header-value.ts';
import { durationMs } from '#gateway/proto/duration-ms.ts';
import { decodeMessage } from '#gateway/proto/registry.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { HeaderValueOption } from '#proto-types/envoy/config/core/v3/base_pb.ts';
import type { GrpcService } from '#proto-types/envoy/config/core/v3/grpc_service_pb.ts';
import type {
  CheckResponse,
  DeniedHttpResponse,
  OkHttpResponse,
} from '#proto-types/envoy/service/auth/v3/external_auth_pb.ts';
import { type AuthzClient, type CheckCallbacks, type CheckInput, type Verdict, verdictOf } from './authz-client.ts';
import { type CheckSettings, encodeCheckRequest } from './check-request.ts';

const method = '/envoy.service.auth.v3.Authorization/Check';
const defaultTimeoutMs = 200;

/** An authorization service that speaks envoy.service.auth.v3. */
export class GrpcAuthzClient implements AuthzClient {
  readonly #client: GrpcAsyncClient;
  readonly #timeoutMs: number;
  readonly #settings: CheckSettings;
  readonly #random: Random;

  constructor(service: GrpcService, settings: CheckSettings, { server, diagnostics }: ExtensionContext) {
    this.#client = server.grpcClient(service, diagnostics.at('grpc_service'));
    this.#timeoutMs = durationMs(service.timeout, defaultTimeoutMs);
    this.#settings = settings;
    this.#random = server.random;
  }

  check(input: CheckInput, callbacks: CheckCallbacks): Cancellable | null {
    const id = String(this.#random.uint32() * 0x20_0000 + (this.#random.uint32() >>> 11));
    const request = encodeCheckRequest(input, this.#settings, id);
    return this.#client.unary(method, request, this.#timeoutMs, null, {
      onSuccess: (message) => callbacks.onVerdict(readVerdict(message)),
      onFailure: () => callbacks.onVerdict(verdictOf('error')),
    });
  }
}

/** Reads a CheckResponse; one that cannot be read is an error. */
function readVerdict(octets: Uint8Array): Verdict {
  let response: CheckResponse;
  try {
    response = decodeMessage<CheckResponse>('envoy.service.auth.v3.CheckResponse', octets);
  } catch {
    return verdictOf('error');
  }
  const { httpResponse: http, status } = response;
  const found = response.dynamicMetadata ?? (http.case === 'okResponse' ? http.value.dynamicMetadata : undefined);
  const metadata =
    found === undefined || Object.keys(found).length === 0 ? null : (found as { [key: string]: JsonValue });
  if (http.case === 'errorResponse') return verdictOf('error', answerOf(http.value));
  if ((status?.code ?? 0) === 0) return { ...okVerdict(http.case === 'okResponse' ? http.value : null), metadata };
  return verdictOf('denied', { ...(http.case === 'deniedResponse' ? answerOf(http.value) : {}), metadata });
}

function answerOf({ status, body, headers }: DeniedHttpResponse): Partial<Verdict> {
  return { status: (status?.code as number | undefined) ?? 0, body, clientHeaders: headerPairs(headers, false) };
}

function okVerdict(ok: OkHttpResponse | null): Verdict {
  if (ok === null) return verdictOf('ok');
  return verdictOf('ok', {
    setHeaders: headerPairs(ok.headers, false),
    appendHeaders: headerPairs(ok.headers, true),
    removeHeaders: ok.headersToRemove
      .map((name) => name.toLowerCase())
      .filter((name) => !name.startsWith(':') && name !== 'host'),
    setParameters: ok.queryParametersToSet.flatMap(({ key, value }) => [key, value]),
    removeParameters: ok.queryParametersToRemove,
    responseHeaders: ok.responseHeadersToAdd.map((option) => {
      const { header } = option;
      const value = header === undefined ? '' : headerValueText(header);
      return { name: (header?.key ?? '').toLowerCase(), value, action: appendActionOf(option) };
    }),
  });
}

/** The headers with (or without) `append`; append_action is not looked at here. */
function headerPairs(options: readonly HeaderValueOption[], appended: boolean): string[] {
  const pairs: string[] = [];
  for (const option of options) {
    if ((option.append === true) === appended && option.header !== undefined)
      pairs.push(option.header.key.toLowerCase(), headerValueText(option.header));
  }
  return pairs;
}

import type { HttpAsyncClient } from '#gateway/api/async-client.ts';
import type { ExtensionContext } from '#gateway/api/context.ts';
import type { JsonValue } from '#gateway/api/stream-info.ts';
import type { Cancellable } from '#gateway/api/upstream.ts';
import { compileStringMatcher, type StringPredicate } from '#gateway/config/matcher/string-matcher.ts';
import { durationMs } from '#gateway/proto/duration-ms.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { RequestHead, type ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { retriedHttpClient } from '#gateway/upstream/client/retried-http-client.ts';
import type { HttpService } from '#proto-types/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.ts';
import type { ListStringMatcher } from '#proto-types/envoy/type/matcher/v3/string_pb.ts';
import {
  type AuthzClient,
  type CheckCallbacks,
  type CheckInput,
  type ResponseHeaderChange,
  type Verdict,
  verdictOf,
} from './authz-client.ts';

const maxResponseOctets = 64 * 1024;
const append = 0;
const alwaysSent: readonly string[] = ['authorization'];
const alwaysTold: readonly string[] = ['location', 'www-authenticate'];
const neverTold: readonly string[] = ['content-length', 'transfer-encoding', 'connection', 'host'];

type NameTest = (name: string) => boolean;

/** Tests names against a ListStringMatcher; null when it is empty. */
export function compileNames(
  list: ListStringMatcher | undefined,
  path: string,
  context: ExtensionContext,
): NameTest | null {
  if (list === undefined || list.patterns.length === 0) return null;
  const tests: StringPredicate[] = [];
  list.patterns.forEach((pattern, i) => {
    const test = context.diagnostics.at(`${path}.patterns[${i}]`).try(() => compileStringMatcher(pattern));
    if (test !== undefined) tests.push(test);
  });
  return (name) => tests.some((test) => test.matches(name));
}

const none: NameTest = () => false;

/** An authorization service that speaks plain HTTP: 200 allows, 5xx is an error, anything else denies. */
export class HttpAuthzClient implements AuthzClient {
  readonly #client: HttpAsyncClient;
  readonly #cluster: string;
  readonly #timeoutMs: number;
  readonly #pathPrefix: string;
  readonly #pathOverride: string;
  readonly #added: readonly string[];
  readonly #sent: NameTest;
  readonly #withheld: NameTest;
  readonly #upstream: NameTest;
  readonly #upstreamAppend: NameTest;
  readonly #told: NameTest | null;
  readonly #clientOnSuccess: NameTest;
  readonly #metadata: NameTest;

  /** `sent` and `withheld` are the filter's allowed_headers and disallowed_headers. */
  constructor(service: HttpService, sent: NameTest | null, withheld: NameTest | null, context: ExtensionContext) {
    const { server, diagnostics } = context;
    const request = service.authorizationRequest;
    const response = service.authorizationResponse;
    const names = (list: ListStringMatcher | undefined, field: string): NameTest | null =>
      compileNames(list, `http_service.${field}`, context);
    if (service.serverUri === undefined) diagnostics.error('http_service.server_uri', 'server_uri is required');
    for (const field of ['pathPrefix', 'pathOverride'] as const) {
      if (service[field] !== '' && !service[field].startsWith('/'))
        diagnostics.error(
          field === 'pathPrefix' ? 'http_service.path_prefix' : 'http_service.path_override',
          'must start with /',
        );
    }
    this.#client =
      service.retryPolicy === undefined
        ? server.httpClient
        : retriedHttpClient(server.httpClient, service.retryPolicy, server);
    const uri = service.serverUri?.httpUpstreamType;
    this.#cluster = uri?.case === 'cluster' ? uri.value : '';
    this.#timeoutMs = durationMs(service.serverUri?.timeout, 0);
    this.#pathPrefix = service.pathPrefix;
    this.#pathOverride = service.pathOverride;
    this.#added = (request?.headersToAdd ?? []).flatMap(({ key, value }) => [key.toLowerCase(), value]);
    this.#sent = sent ?? names(request?.allowedHeaders, 'authorization_request.allowed_headers') ?? none;
    this.#withheld = withheld ?? none;
    this.#upstream = names(response?.allowedUpstreamHeaders, 'authorization_response.allowed_upstream_headers') ?? none;
    this.#upstreamAppend =
      names(response?.allowedUpstreamHeadersToAppend, 'authorization_response.allowed_upstream_headers_to_append') ??
      none;
    this.#told = names(response?.allowedClientHeaders, 'authorization_response.allowed_client_headers');
    this.#clientOnSuccess =
      names(response?.allowedClientHeadersOnSuccess, 'authorization_response.allowed_client_headers_on_success') ??
      none;
    this.#metadata =
      names(response?.dynamicMetadataFromHeaders, 'authorization_response.dynamic_metadata_from_headers') ?? none;
  }

  check(input: CheckInput, callbacks: CheckCallbacks): Cancellable | null {
    const options = { timeoutMs: this.#timeoutMs, maxResponseOctets };
    return this.#client.send(this.#cluster, this.#request(input), input.body, options, {
      onSuccess: (head, body) => callbacks.onVerdict(this.#verdict(head, body)),
      onFailure: () => callbacks.onVerdict(verdictOf('error')),
    });
  }

  #request({ head, body, partial }: CheckInput): RequestHead {
    const headers = new HeaderMap(['content-length', String(body?.length ?? 0)]);
    const { entries } = head.headers;
    for (let i = 0; i < entries.length; i += 2) {
      const name = entries[i]!;
      if (name === 'content-length' || this.#withheld(name)) continue;
      if (alwaysSent.includes(name) || this.#sent(name)) headers.add(name, entries[i + 1]!);
    }
    if (body !== null) headers.set('x-envoy-auth-partial-body', String(partial));
    for (let i = 0; i < this.#added.length; i += 2) headers.set(this.#added[i]!, this.#added[i + 1]!);
    const path = this.#pathOverride === '' ? this.#pathPrefix + head.path : this.#pathOverride;
    return new RequestHead(head.method, path, head.authority, 'http', headers);
  }

  #verdict({ status, headers }: ResponseHead, body: Uint8Array): Verdict {
    if (status >= 500) return verdictOf('error');
    const metadata = this.#metadataOf(headers);
    if (status !== 200) {
      const told = this.#told;
      const clientHeaders = pairs(headers, (name) =>
        told === null
          ? !neverTold.includes(name)
          : alwaysTold.includes(name) || (!neverTold.includes(name) && told(name)),
      );
      return verdictOf('denied', { status, body, clientHeaders, metadata });
    }
    const success = pairs(headers, this.#clientOnSuccess);
    const responseHeaders: ResponseHeaderChange[] = [];
    for (let i = 0; i < success.length; i += 2)
      responseHeaders.push({ name: success[i]!, value: success[i + 1]!, action: append });
    const removed = headers.getJoined('x-envoy-auth-headers-to-remove') ?? '';
    return verdictOf('ok', {
      setHeaders: pairs(headers, this.#upstream),
      addHeaders: pairs(headers, this.#upstreamAppend),
      removeHeaders: removed
        .split(',')
        .map((name) => name.trim().toLowerCase())
        .filter((name) => name !== ''),
      responseHeaders,
      metadata,
    });
  }

  #metadataOf(headers: HeaderMap): { [key: string]: JsonValue } | null {
    const found = pairs(headers, this.#metadata);
    if (found.length === 0) return null;
    const metadata: { [key: string]: JsonValue } = {};
    for (let i = 0; i < found.length; i += 2) metadata[found[i]!] = found[i + 1]!;
    return metadata;
  }
}

function pairs({ entries }: HeaderMap, test: NameTest): string[] {
  const found: string[] = [];
  for (let i = 0; i < entries.length; i += 2) if (test(entries[i]!)) found.push(entries[i]!, entries[i + 1]!);
  return found;
}

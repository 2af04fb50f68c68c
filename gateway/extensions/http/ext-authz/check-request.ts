import { Buffer } from 'node:buffer';
import type { JsonObject } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { JsonValue, StreamInfo } from '#gateway/api/stream-info.ts';
import type { Address } from '#gateway/base/address.ts';
import { peerCertificate } from '#gateway/formatter/peer-certificate.ts';
import { createMessage, encodeMessage } from '#gateway/proto/registry.ts';
import type { RequestHead } from '#gateway/protocol/headers/message-head.ts';
import type { CheckRequest } from '#proto-types/envoy/service/auth/v3/external_auth_pb.ts';
import type { CheckInput } from './authz-client.ts';

type Metadata = { readonly [namespace: string]: { readonly [key: string]: JsonValue } };

/** What goes into a CheckRequest besides the request itself. */
export interface CheckSettings {
  /** Whether a header goes along. */
  readonly sends: (name: string) => boolean;
  readonly packAsBytes: boolean;
  readonly includeCertificate: boolean;
  readonly includeTlsSession: boolean;
  readonly metadataNamespaces: readonly string[];
  readonly routeMetadataNamespaces: readonly string[];
}

/** Encodes an envoy.service.auth.v3.CheckRequest. `id` names the request in the service's logs. */
export function encodeCheckRequest(input: CheckInput, settings: CheckSettings, id: string): Uint8Array {
  const { head, streamInfo, body } = input;
  const length = head.headers.get('content-length');
  const message = createMessage<CheckRequest>('envoy.service.auth.v3.CheckRequest', {
    attributes: {
      source: peer(streamInfo, settings.includeCertificate),
      destination: { address: addressOf(streamInfo.connection.localAddress) },
      request: {
        time: timestampFromMs(streamInfo.startWallMs),
        http: {
          id,
          method: head.method,
          path: head.path,
          host: head.authority,
          scheme: head.scheme,
          protocol: streamInfo.protocol ?? '',
          size: length !== null && /^\d{1,15}$/.test(length) ? BigInt(length) : 0n,
          headers: headersOf(input, settings.sends),
          body: body === null || settings.packAsBytes ? '' : Buffer.from(body).toString('utf8'),
          rawBody: body !== null && settings.packAsBytes ? body : new Uint8Array(0),
        },
      },
      contextExtensions: { ...input.contextExtensions },
      metadataContext: {
        filterMetadata: chosen(Object.fromEntries(streamInfo.dynamicMetadata ?? []), settings.metadataNamespaces),
      },
      routeMetadataContext: {
        filterMetadata: chosen(streamInfo.route?.metadata ?? {}, settings.routeMetadataNamespaces),
      },
      ...(settings.includeTlsSession && streamInfo.connection.tls !== null
        ? { tlsSession: { sni: streamInfo.connection.tls.serverName } }
        : {}),
    },
  });
  return encodeMessage(message);
}

function headersOf({ head, body, partial }: CheckInput, sends: (name: string) => boolean): { [name: string]: string } {
  const headers: { [name: string]: string } = {};
  const set = (name: string, value: string): void => {
    if (value === '' || !sends(name)) return;
    const known = headers[name];
    headers[name] = known === undefined ? value : `${known},${value}`;
  };
  pseudoHeaders(head, set);
  const { entries } = head.headers;
  for (let i = 0; i < entries.length; i += 2) set(entries[i]!, Buffer.from(entries[i + 1]!, 'latin1').toString('utf8'));
  if (body !== null) headers['x-envoy-auth-partial-body'] = String(partial);
  return headers;
}

function pseudoHeaders(head: RequestHead, set: (name: string, value: string) => void): void {
  set(':method', head.method);
  set(':path', head.path);
  set(':authority', head.authority);
  set(':scheme', head.scheme);
}

function peer({ downstreamRemoteAddress, connection: { tls } }: StreamInfo, certificate: boolean): object {
  const leaf = peerCertificate(tls);
  const principal = leaf === null ? '' : (leaf.namesOf('uri')[0] ?? leaf.namesOf('dns')[0] ?? leaf.subject);
  return {
    address: addressOf(downstreamRemoteAddress),
    principal,
    certificate: certificate && leaf !== null ? leaf.encodedPem : '',
  };
}

function addressOf(address: Address): object {
  if (address.kind === 'pipe') return { address: { case: 'pipe', value: { path: address.host } } };
  const socket = { address: address.host, portSpecifier: { case: 'portValue', value: address.port } };
  return { address: { case: 'socketAddress', value: socket } };
}

function chosen(metadata: Metadata, namespaces: readonly string[]): { [namespace: string]: JsonObject } {
  const found: { [namespace: string]: JsonObject } = {};
  for (const namespace of namespaces) {
    const values = metadata[namespace];
    if (values !== undefined) found[namespace] = values as JsonObject;
  }
  return found;
}

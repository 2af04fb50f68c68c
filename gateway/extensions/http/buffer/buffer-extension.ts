import type { Message } from '@bufbuild/protobuf';
import type { ExtensionContext } from '#gateway/api/context.ts';
import type { HttpFilterExtension } from '#gateway/api/extension.ts';
import type { FilterChainBuilder, HttpFilterFactory } from '#gateway/api/http-filter.ts';
import { ConfigError } from '#gateway/config/diagnostics.ts';
import { atPath } from '#gateway/route/compile-context.ts';
import type { Buffer, BufferPerRoute } from '#proto-types/envoy/extensions/filters/http/buffer/v3/buffer_pb.ts';
import { BufferFilter, type BufferSettings } from './buffer-filter.ts';

const switchedOff: BufferSettings = { maxRequestOctets: 0 };

/** envoy.filters.http.buffer: whole requests only toward the upstream. */
export const bufferExtension: HttpFilterExtension = {
  name: 'envoy.filters.http.buffer',
  configType: 'envoy.extensions.filters.http.buffer.v3.Buffer',
  routeConfigType: 'envoy.extensions.filters.http.buffer.v3.BufferPerRoute',
  createFactory(message: Message, _context: ExtensionContext): HttpFilterFactory {
    const settings = readSettings(message as Buffer);
    return {
      terminal: false,
      createFilter(chain: FilterChainBuilder): void {
        chain.addDecoderFilter(new BufferFilter(settings));
      },
    };
  },
  createRouteConfig(message: Message): unknown {
    const { override } = message as BufferPerRoute;
    switch (override.case) {
      case 'disabled':
        return switchedOff;
      case 'buffer':
        return atPath('buffer', () => readSettings(override.value));
      default:
        throw new ConfigError('', 'one of disabled and buffer is required');
    }
  },
};

function readSettings(message: Buffer): BufferSettings {
  const { maxRequestBytes } = message;
  if (maxRequestBytes === undefined) throw new ConfigError('max_request_bytes', 'max_request_bytes is required');
  if (maxRequestBytes === 0) throw new ConfigError('max_request_bytes', 'max_request_bytes must be above 0');
  return { maxRequestOctets: maxRequestBytes };
}

import type { Connection } from '#gateway/api/connection.ts';
import type { ClientCodec, ClientCodecCallbacks } from '#gateway/protocol/codec.ts';
import { Http1ClientCodec } from '#gateway/protocol/http1/http1-client-codec.ts';
import type { Http1Options } from '#gateway/protocol/http1/http1-options.ts';
import { Http2ClientCodec } from '#gateway/protocol/http2/client-codec.ts';
import type { Http2Options } from '#gateway/protocol/http2/options.ts';

/** Makes client codecs; tests put scripted ones in their place. */
export interface ClientCodecs {
  http1(connection: Connection, callbacks: ClientCodecCallbacks, options: Http1Options): ClientCodec;
  http2(connection: Connection, callbacks: ClientCodecCallbacks, options: Http2Options): ClientCodec;
}

/** The real codecs. */
export const clientCodecs: ClientCodecs = {
  http1: (connection, callbacks, options) => new Http1ClientCodec(connection, callbacks, options),
  http2: (connection, callbacks, options) => new Http2ClientCodec(connection, callbacks, options),
};

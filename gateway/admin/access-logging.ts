import type { IncomingMessage } from 'node:http';
import type { Context } from 'hono';
import type { AccessLogger } from '#gateway/api/access-log.ts';
import { ConnectionInfo } from '#gateway/api/connection.ts';
import { StreamInfo } from '#gateway/api/stream-info.ts';
import { type Address, ipAddress, pipeAddress } from '#gateway/base/address.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import type { Clock } from '#gateway/runtime/clock.ts';

function headerMap(headers: Headers, skip: string): HeaderMap {
  const map = new HeaderMap();
  headers.forEach((value, name) => {
    if (name !== skip) map.add(name, value);
  });
  return map;
}

function addressOf(host: string | undefined, port: number | undefined): Address {
  return host === undefined || port === undefined ? pipeAddress('') : ipAddress(host, port);
}

/** Writes admin requests to `admin.access_log`. */
export class AdminAccessLog {
  readonly #loggers: readonly AccessLogger[];
  readonly #clock: Clock;

  constructor(loggers: readonly AccessLogger[], clock: Clock) {
    this.#loggers = loggers;
    this.#clock = clock;
  }

  /** When a request came, to be handed to `log`; null when nothing is logged. */
  begin(): { readonly nowMs: number; readonly wallMs: number } | null {
    if (this.#loggers.length === 0) return null;
    return { nowMs: this.#clock.nowMs(), wallMs: this.#clock.wallMs() };
  }

  /** Logs an answered request. */
  log(context: Context, started: { readonly nowMs: number; readonly wallMs: number }): void {
    const socket = (context.env as { readonly incoming?: IncomingMessage } | undefined)?.incoming?.socket;
    const local = addressOf(socket?.localAddress, socket?.localPort);
    const remote = addressOf(socket?.remoteAddress, socket?.remotePort);
    const info = new StreamInfo(new ConnectionInfo(0, local, remote, started.wallMs), started.nowMs, started.wallMs);
    const { raw } = context.req;
    const url = new URL(raw.url);
    const request = new RequestHead(
      raw.method,
      url.pathname + url.search,
      url.host,
      'http',
      headerMap(raw.headers, 'host'),
    );
    info.protocol = 'HTTP/1.1';
    info.responseCode = context.res.status;
    info.responseCodeDetails = 'admin_filter_response';
    info.endMs = this.#clock.nowMs();
    const response = new ResponseHead(context.res.status, headerMap(context.res.headers, ''));
    for (const logger of this.#loggers) {
      logger.log({ request, response, trailers: null, streamInfo: info, localReplyBody: '' });
    }
  }
}

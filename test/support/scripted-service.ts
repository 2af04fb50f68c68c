import { Buffer } from 'node:buffer';
import type { GrpcUnaryCallbacks } from '#gateway/api/async-client.ts';
import type { InProcessInstance, InProcessStat } from '#gateway/api/in-process.ts';
import type { RequestDecoder, ResponseEncoder } from '#gateway/protocol/codec.ts';
import { frameGrpcMessage } from '#gateway/protocol/grpc/message-writer.ts';
import { createGrpcTrailers } from '#gateway/protocol/grpc/trailers.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { ResponseHead } from '#gateway/protocol/headers/message-head.ts';

/**
 * A service for `sluice.in_process` clusters that does what the method's last word says: Echo, Fail (with PERMISSION_DENIED),
 * Gone (UNAVAILABLE), Throw, Hang (until `release`), and Chat as a stream that says each message again.
 */
export class ScriptedService implements InProcessInstance {
  started = 0;
  closed = 0;
  absence: string | null = null;
  readonly events: string[] = [];
  readonly #waiting: (() => void)[] = [];

  start(ready: () => void): void {
    this.started++;
    ready();
  }

  isDirect(method: string): boolean {
    return !method.endsWith('Chat');
  }

  call(method: string, message: Uint8Array, callbacks: GrpcUnaryCallbacks): void {
    const kept = Uint8Array.from(message);
    if (method.endsWith('Echo')) callbacks.onSuccess(kept);
    else if (method.endsWith('Fail')) callbacks.onFailure(7, 'not for you');
    else if (method.endsWith('Gone')) callbacks.onFailure(14, 'not here');
    else if (method.endsWith('Throw')) throw new Error('a mistake');
    else this.#waiting.push(() => callbacks.onSuccess(kept));
  }

  /** Answers the calls that hang. */
  release(): void {
    for (const answer of this.#waiting.splice(0)) answer();
  }

  async page(request: Request, path: string): Promise<Response> {
    return await Promise.resolve(new Response(`${request.method} ${path}\n`, { status: 201 }));
  }

  newStream(encoder: ResponseEncoder): RequestDecoder {
    const { events } = this;
    return {
      decodeHeaders(head, endStream): void {
        events.push(`${head.method} ${head.path} ${endStream}`);
        encoder.encodeHeaders(new ResponseHead(200, new HeaderMap(['content-type', 'application/grpc'])), false);
      },
      decodeData(chunk, endStream): void {
        if (chunk.length > 0) encoder.encodeData(frameGrpcMessage(chunk.subarray(5)), false);
        if (endStream) encoder.encodeTrailers(createGrpcTrailers(0, ''));
      },
      decodeTrailers: (): void => {},
      onBadRequest: (): void => {},
      onResetStream: (reason): void => void events.push(`reset ${reason}`),
      onAboveWriteBufferHighWatermark: (): void => void events.push('above'),
      onBelowWriteBufferLowWatermark: (): void => void events.push('below'),
    };
  }

  *counters(): Generator<InProcessStat> {
    yield { name: 'scripted.calls', value: this.events.length };
  }

  gauges(): readonly InProcessStat[] {
    return [];
  }

  close(): void {
    this.closed++;
  }
}

/** The text of a message. */
export function textOf(message: Uint8Array): string {
  return Buffer.from(message).toString();
}

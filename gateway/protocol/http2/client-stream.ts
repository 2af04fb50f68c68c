import { EncodeStatus, type MessageSink, type RequestEncoder, type ResponseDecoder } from '../codec.ts';
import { hasListToken } from '../headers/characters.ts';
import type { RequestHead, ResponseHead } from '../headers/message-head.ts';
import { Details } from './details.ts';
import { ErrorCode } from './error-code.ts';
import { Http2Stream } from './stream.ts';
import type { StreamOwner } from './stream-owner.ts';

/** What a client stream needs from its connection. */
export interface ClientStreamOwner extends StreamOwner {
  /** Whether the peer takes extended CONNECT. RFC 8441 section 3. */
  readonly takesExtendedConnect: boolean;
  /** Gives the stream its identifier and its window; false when the connection takes no more streams. */
  openStream(stream: ClientStream): boolean;
  /** Encodes and writes a request head; `protocol` is that of an extended CONNECT or ''. Returns the octets written. */
  writeRequestHead(streamId: number, method: string, head: RequestHead, protocol: string, endStream: boolean): number;
  /** The stream is complete on the wire, but its response has not been taken to the end. */
  onWireClosed(stream: ClientStream): void;
  /** The stream is over. */
  onStreamClosed(stream: ClientStream): void;
}

/** One request and its response, on the client's side. */
export class ClientStream extends Http2Stream implements RequestEncoder {
  readonly #connection: ClientStreamOwner;
  readonly #decoder: ResponseDecoder;
  #protocol = ''; // of an extended CONNECT: its answer 200 is 101 in the HTTP/1.1 form
  #bodyless = false; // the answer to HEAD
  #headReceived = false;

  constructor(owner: ClientStreamOwner, decoder: ResponseDecoder) {
    super(owner, 0, 0);
    this.#connection = owner;
    this.#decoder = decoder;
  }

  protected override get sink(): MessageSink | null {
    return this.#decoder;
  }

  /** Whether the final head has come: the next block is trailers. */
  get headReceived(): boolean {
    return this.#headReceived;
  }

  encodeHeaders(head: RequestHead, endStream: boolean): EncodeStatus {
    if (this.closed || this.streamId !== 0) return EncodeStatus.Ok;
    let method = head.method;
    if (method === '') return EncodeStatus.MissingRequired;
    const plainConnect = method === 'CONNECT';
    if (plainConnect ? head.authority === '' : head.path === '') return EncodeStatus.MissingRequired;
    const upgrade = head.headers.get('upgrade');
    if (upgrade !== null && hasListToken(head.headers.getJoined('connection') ?? '', 'upgrade')) {
      if (!this.#connection.takesExtendedConnect) return EncodeStatus.Invalid;
      method = 'CONNECT';
      this.#protocol = upgrade;
    }
    if (!this.#connection.openStream(this)) return EncodeStatus.Ok; // the sink was told
    this.tunnel = plainConnect || this.#protocol !== '';
    this.#bodyless = method === 'HEAD';
    this.wireOctetsSent += this.#connection.writeRequestHead(this.streamId, method, head, this.#protocol, endStream);
    if (endStream) this.endWithHead();
    return EncodeStatus.Ok;
  }

  /** A head arrived, interim or final. */
  onHead(head: ResponseHead, endStream: boolean, contentLength: number): void {
    if (head.status < 200) {
      if (endStream) this.malformed(Details.MessagingRule);
      else this.#decoder.decodeInformational(head);
      return;
    }
    this.#headReceived = true;
    const accepted = head.status < 300;
    if (this.tunnel && !accepted) this.tunnel = false;
    if (this.#protocol !== '' && head.status === 200) {
      head.status = 101;
      head.headers.add('connection', 'upgrade');
      head.headers.add('upgrade', this.#protocol);
    }
    if (this.#bodyless || head.status === 204 || head.status === 304) this.expectedOctets = 0;
    else if (!this.tunnel) this.expectedOctets = contentLength;
    if (endStream && !this.endWithoutBody()) {
      this.malformed(Details.MessagingRule);
      return;
    }
    this.#decoder.decodeHeaders(head, endStream);
    this.afterHead();
  }

  override onRemoteReset(errorCode: number): void {
    // The server has answered in full and does not want the rest of the request. RFC 9113 section 8.1.
    if (this.remoteEnded && errorCode === ErrorCode.NoError) this.close(true);
    else super.onRemoteReset(errorCode);
  }

  protected override onClosed(complete: boolean): void {
    if (complete && this.undelivered) this.#connection.onWireClosed(this);
    else this.#connection.onStreamClosed(this);
  }

  protected override onLateDelivery(): void {
    this.#connection.onStreamClosed(this);
  }

  protected override defaultResetCode(): ErrorCode {
    return ErrorCode.Cancel;
  }
}

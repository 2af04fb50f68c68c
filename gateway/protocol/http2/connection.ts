import type { OutputBuffer } from '#gateway/base/output-buffer.ts';
import { type CodecConnection, DispatchStatus, type ResetReason } from '../codec.ts';
import type { FieldSink } from '../hpack/decoder.ts';
import { HpackEncoder } from '../hpack/encoder.ts';
import { BlockReader } from './block-reader.ts';
import { Details } from './details.ts';
import { ErrorCode } from './error-code.ts';
import { FloodGuard } from './flood-guard.ts';
import { FrameFlag, FrameType, frameHeadOctets, max31Bits } from './frame.ts';
import { FrameReader, type FrameSink } from './frame-reader.ts';
import { readGoAwayCode, readLastStreamId, writeGoAway } from './frames/goaway.ts';
import { isKeepalivePayload, keepalivePayload, writePing } from './frames/ping.ts';
import { checkPriority } from './frames/priority.ts';
import { readRstStream, writeRstStream } from './frames/rst-stream.ts';
import { PeerSettings, writeSettings, writeSettingsAck } from './frames/settings.ts';
import { readWindowUpdate, writeWindowUpdate } from './frames/window-update.ts';
import { HeaderBlockWriter } from './header-block-writer.ts';
import { localSettings } from './local-settings.ts';
import type { Http2Options } from './options.ts';
import { ReceiveWindow } from './receive-window.ts';
import { RecentIds } from './recent-ids.ts';
import { SendScheduler } from './send-scheduler.ts';
import type { SendSide } from './send-side.ts';
import type { Http2Stats } from './stats.ts';
import type { Http2Stream } from './stream.ts';
import type { StreamOwner } from './stream-owner.ts';
import { StreamTable } from './stream-table.ts';

const defaultConnectionWindow = 65_535;

/**
 * One HTTP/2 connection, either side: frames to streams, settings, both connection windows, GOAWAY, flood defence.
 * What differs between server and client is in the subclasses. RFC 9113.
 */
export abstract class Http2Connection<Stream extends Http2Stream> implements FrameSink, StreamOwner {
  readonly protocol = 'HTTP/2';
  readonly output: OutputBuffer;
  readonly streamHighWatermark: number;
  readonly streamWindowOctets: number;
  sendWindow: number = defaultConnectionWindow;
  /** Why the connection had to end: shown as its termination details. Null while it has not. */
  failure: Details | null = null;
  protected readonly options: Http2Options;
  protected readonly stats: Http2Stats;
  protected readonly streams: StreamTable<Stream> = new StreamTable();
  protected readonly flood: FloodGuard;
  protected readonly peer: PeerSettings = new PeerSettings();
  protected readonly blockWriter: HeaderBlockWriter;
  protected readonly recentResets: RecentIds = new RecentIds();
  protected readonly reader: FrameReader;
  readonly #server: boolean;
  readonly #blocks: BlockReader;
  readonly #scheduler = new SendScheduler();
  readonly #window: ReceiveWindow;
  #status: DispatchStatus = DispatchStatus.Ok;
  #aboveWatermark = false;
  #settingsSeen = false;
  #settingsAcked = false;
  #dataStream: Stream | null = null; // of the DATA frame under way; null when its data goes nowhere
  #dataEndsStream = false;

  constructor(connection: CodecConnection, options: Http2Options, stats: Http2Stats, server: boolean) {
    this.output = connection.output;
    this.options = options;
    this.stats = stats;
    this.#server = server;
    this.streamHighWatermark = options.streamWriteBufferOctets;
    this.streamWindowOctets = options.initialStreamWindowOctets;
    this.flood = new FloodGuard(options, stats);
    this.blockWriter = new HeaderBlockWriter(this.output, new HpackEncoder(options.hpackTableOctets, options.huffman));
    this.#blocks = new BlockReader(options);
    this.#window = new ReceiveWindow(options.initialConnectionWindowOctets);
    this.reader = new FrameReader(this);
  }

  /** Sink for the fields of the block that begins; null when the connection failed. */
  protected abstract beginBlock(streamId: number): FieldSink | null;
  /** The block is complete: hands on what it held. */
  protected abstract endBlock(streamId: number, endStream: boolean, selfDependent: boolean): void;
  /** Whether a stream with this identifier was ever open. */
  protected abstract isIdle(streamId: number): boolean;
  protected abstract onPeerSettings(): void;
  protected abstract onPeerGoAway(errorCode: number, lastStreamId: number): void;
  protected abstract onKeepaliveAck(): void;
  /** The connection is gone; the streams are reset next. */
  protected abstract onEnd(): void;
  /** Highest identifier of the peer's streams that was taken. */
  protected abstract lastPeerStreamId(): number;

  /** Whether the peer has said its settings: before it is nobody. */
  get established(): boolean {
    return this.#settingsSeen;
  }

  get activeStreams(): number {
    return this.streams.size;
  }

  get peerMaxFrameOctets(): number {
    return this.peer.maxFrameOctets;
  }

  /** Announces this side's settings and its connection window. */
  protected sendSettings(): void {
    writeSettings(this.output, localSettings(this.options, this.#server));
    const extra = this.options.initialConnectionWindowOctets - defaultConnectionWindow;
    if (extra > 0) writeWindowUpdate(this.output, 0, extra);
  }

  /** Reads frames from `chunk[at, length)`. */
  protected readFrames(chunk: Uint8Array, at: number): DispatchStatus {
    if (this.#status !== DispatchStatus.Ok) return this.#status;
    this.reader.read(chunk, at);
    const flooded = this.flood.outbound();
    if (flooded !== null) this.flooded(flooded);
    return this.#status;
  }

  onFrame(type: number, flags: number, streamId: number, buf: Uint8Array, at: number, length: number): boolean {
    if (this.#status !== DispatchStatus.Ok) return false;
    if (this.#blocks.streamId !== 0 && (type !== FrameType.Continuation || streamId !== this.#blocks.streamId)) {
      return this.fail(ErrorCode.ProtocolError, Details.ConnectionProtocol);
    }
    if (!this.#settingsSeen && (type !== FrameType.Settings || (flags & FrameFlag.Ack) !== 0)) {
      return this.fail(ErrorCode.ProtocolError, Details.BadPreface);
    }
    switch (type) {
      case FrameType.Headers:
        return this.#onHeaders(flags, streamId, buf, at, length);
      case FrameType.Continuation:
        return this.#onContinuation(flags, buf, at, length);
      case FrameType.Priority:
        return this.#onPriority(streamId, buf, at, length);
      case FrameType.RstStream:
        return this.#onRstStream(streamId, buf, at, length);
      case FrameType.Settings:
        return this.#onSettings(flags, streamId, buf, at, length);
      case FrameType.PushPromise: // nobody may push: this side never allows it, and clients cannot
        return this.fail(ErrorCode.ProtocolError, Details.ConnectionProtocol);
      case FrameType.Ping:
        return this.#onPing(flags, streamId, buf, at, length);
      case FrameType.GoAway:
        return this.#onGoAway(streamId, buf, at, length);
      case FrameType.WindowUpdate:
        return this.#onWindowUpdate(streamId, buf, at, length);
      default:
        return true;
    }
  }

  onDataHead(streamId: number, flags: number, length: number, overhead: number): boolean {
    if (this.#status !== DispatchStatus.Ok) return false;
    if (this.#blocks.streamId !== 0 || streamId === 0) {
      return this.fail(ErrorCode.ProtocolError, Details.ConnectionProtocol);
    }
    if (!this.#settingsSeen) return this.fail(ErrorCode.ProtocolError, Details.BadPreface);
    const endStream = (flags & FrameFlag.EndStream) !== 0;
    const flooded = this.flood.payload(length === overhead && !endStream);
    if (flooded !== null) return this.flooded(flooded);
    if (!this.#window.receive(length)) return this.fail(ErrorCode.FlowControlError, Details.StreamFlowControl);
    this.#dataEndsStream = endStream;
    this.#dataStream = null;
    const stream = this.streams.get(streamId);
    if (stream === undefined) {
      if (this.isIdle(streamId)) return this.fail(ErrorCode.ProtocolError, Details.ConnectionProtocol);
      if (!this.recentResets.has(streamId)) this.writeReset(streamId, ErrorCode.StreamClosed);
    } else if (stream.remoteEnded) {
      stream.streamError(ErrorCode.StreamClosed, Details.MessagingRule);
    } else if (!stream.receive(length)) {
      stream.streamError(ErrorCode.FlowControlError, Details.StreamFlowControl);
    } else if (!stream.fits(length - overhead, endStream)) {
      stream.malformed(Details.MessagingRule);
    } else {
      stream.wireOctetsReceived += length + frameHeadOctets;
      this.#dataStream = stream;
      if (overhead > 0) stream.consumed(overhead);
      return true;
    }
    if (overhead > 0) this.releaseConnectionWindow(overhead);
    return true;
  }

  onDataChunk(chunk: Uint8Array, last: boolean): boolean {
    const stream = this.#dataStream;
    if (stream === null || stream.closed) {
      if (chunk.length > 0) this.releaseConnectionWindow(chunk.length);
      return this.#status === DispatchStatus.Ok;
    }
    const endStream = last && this.#dataEndsStream;
    if (last) this.#dataStream = null;
    if (chunk.length > 0 || endStream) stream.onData(chunk, endStream);
    return this.#status === DispatchStatus.Ok;
  }

  onOversizedFrame(): void {
    this.fail(ErrorCode.FrameSizeError, Details.ConnectionProtocol);
  }

  onBadPadding(): void {
    this.fail(ErrorCode.ProtocolError, Details.ConnectionProtocol);
  }

  #onHeaders(flags: number, streamId: number, buf: Uint8Array, at: number, length: number): boolean {
    if (streamId === 0) return this.fail(ErrorCode.ProtocolError, Details.ConnectionProtocol);
    const blocks = this.#blocks;
    const error = blocks.open(buf, at, length, flags, streamId);
    if (error !== ErrorCode.NoError) return this.fail(error, Details.ConnectionProtocol);
    this.flood.headerBlock();
    const flooded = this.flood.payload(blocks.isEmpty && !blocks.endStream);
    if (flooded !== null) return this.flooded(flooded);
    const sink = this.beginBlock(streamId);
    if (sink === null) return false;
    blocks.sink = sink;
    return this.#onBlock(buf, blocks.start, blocks.end, (flags & FrameFlag.EndHeaders) !== 0);
  }

  #onContinuation(flags: number, buf: Uint8Array, at: number, length: number): boolean {
    if (this.#blocks.streamId === 0) return this.fail(ErrorCode.ProtocolError, Details.ConnectionProtocol);
    const flooded = this.flood.continuation() ?? this.flood.payload(length === 0);
    if (flooded !== null) return this.flooded(flooded);
    this.#blocks.wireOctets += frameHeadOctets + length;
    return this.#onBlock(buf, at, at + length, (flags & FrameFlag.EndHeaders) !== 0);
  }

  #onBlock(buf: Uint8Array, at: number, end: number, endHeaders: boolean): boolean {
    const blocks = this.#blocks;
    const streamId = blocks.streamId;
    const error = blocks.read(buf, at, end, endHeaders);
    if (error === ErrorCode.EnhanceYourCalm) return this.flooded(Details.Continuations);
    if (error !== ErrorCode.NoError) return this.fail(error, Details.Compression);
    if (endHeaders) this.endBlock(streamId, blocks.endStream, blocks.selfDependent);
    return this.#status === DispatchStatus.Ok;
  }

  #onPriority(streamId: number, buf: Uint8Array, at: number, length: number): boolean {
    if (streamId === 0) return this.fail(ErrorCode.ProtocolError, Details.ConnectionProtocol);
    const flooded = this.flood.priority();
    if (flooded !== null) return this.flooded(flooded);
    const error = checkPriority(buf, at, length, streamId);
    if (error === ErrorCode.NoError) return true;
    const stream = this.streams.get(streamId);
    if (stream !== undefined) stream.streamError(error, Details.ConnectionProtocol);
    else if (this.isIdle(streamId))
      return this.fail(error, Details.ConnectionProtocol); // nothing there to reset
    else if (!this.recentResets.has(streamId)) this.writeReset(streamId, error);
    return true;
  }

  #onRstStream(streamId: number, buf: Uint8Array, at: number, length: number): boolean {
    const code = readRstStream(buf, at, length);
    if (code < 0) return this.fail(ErrorCode.FrameSizeError, Details.ConnectionProtocol);
    if (streamId === 0 || this.isIdle(streamId)) return this.fail(ErrorCode.ProtocolError, Details.ConnectionProtocol);
    const flooded = this.#server ? this.flood.reset() : null;
    if (flooded !== null) return this.flooded(flooded);
    const stream = this.streams.get(streamId);
    if (stream === undefined) return true;
    this.stats.rxReset.inc();
    stream.wireOctetsReceived += frameHeadOctets + length;
    stream.onRemoteReset(code);
    return this.#status === DispatchStatus.Ok;
  }

  #onSettings(flags: number, streamId: number, buf: Uint8Array, at: number, length: number): boolean {
    if (streamId !== 0) return this.fail(ErrorCode.ProtocolError, Details.ConnectionProtocol);
    const ack = (flags & FrameFlag.Ack) !== 0;
    if (length % 6 !== 0 || (ack && length > 0)) return this.fail(ErrorCode.FrameSizeError, Details.ConnectionProtocol);
    if (ack) {
      if (!this.#settingsAcked) this.#blocks.decoder.setLimit(this.options.hpackTableOctets);
      this.#settingsAcked = true;
      return true;
    }
    this.#settingsSeen = true;
    const peer = this.peer;
    const windowBefore = peer.initialWindowOctets;
    const error = peer.read(buf, at, length, !this.#server);
    if (error !== ErrorCode.NoError) return this.fail(error, Details.ConnectionProtocol);
    this.blockWriter.encoder.setPeerLimit(peer.headerTableOctets);
    this.#countControl();
    writeSettingsAck(this.output); // before any data that the new windows set free: it was sent under these settings
    if (!this.#moveWindows(peer.initialWindowOctets - windowBefore)) {
      return this.fail(ErrorCode.FlowControlError, Details.StreamFlowControl);
    }
    this.onPeerSettings();
    return this.#status === DispatchStatus.Ok;
  }

  /** A new initial window moves the window of every stream, below zero too. RFC 9113 section 6.9.2. */
  #moveWindows(delta: number): boolean {
    if (delta === 0) return true;
    for (const stream of this.streams.snapshot()) {
      stream.sendWindow += delta;
      if (stream.sendWindow > max31Bits) return false;
      if (delta > 0 && stream.hasPending) this.#scheduler.add(stream);
    }
    this.#scheduler.run(this);
    return true;
  }

  #onPing(flags: number, streamId: number, buf: Uint8Array, at: number, length: number): boolean {
    if (streamId !== 0) return this.fail(ErrorCode.ProtocolError, Details.ConnectionProtocol);
    if (length !== 8) return this.fail(ErrorCode.FrameSizeError, Details.ConnectionProtocol);
    if ((flags & FrameFlag.Ack) !== 0) {
      if (isKeepalivePayload(buf, at)) this.onKeepaliveAck();
      return true;
    }
    this.#countControl();
    writePing(this.output, true, buf, at);
    return true;
  }

  #onGoAway(streamId: number, buf: Uint8Array, at: number, length: number): boolean {
    if (streamId !== 0) return this.fail(ErrorCode.ProtocolError, Details.ConnectionProtocol);
    if (length < 8) return this.fail(ErrorCode.FrameSizeError, Details.ConnectionProtocol);
    this.onPeerGoAway(readGoAwayCode(buf, at), readLastStreamId(buf, at));
    return this.#status === DispatchStatus.Ok;
  }

  #onWindowUpdate(streamId: number, buf: Uint8Array, at: number, length: number): boolean {
    const increment = readWindowUpdate(buf, at, length);
    if (increment < 0) return this.fail(ErrorCode.FrameSizeError, Details.ConnectionProtocol);
    const flooded = this.flood.windowUpdate();
    if (flooded !== null) return this.flooded(flooded);
    if (streamId === 0) {
      if (increment === 0) return this.fail(ErrorCode.ProtocolError, Details.ConnectionProtocol);
      this.sendWindow += increment;
      if (this.sendWindow > max31Bits) return this.fail(ErrorCode.FlowControlError, Details.StreamFlowControl);
      this.#scheduler.run(this);
      return true;
    }
    const stream = this.streams.get(streamId);
    if (stream === undefined) {
      return this.isIdle(streamId) ? this.fail(ErrorCode.ProtocolError, Details.ConnectionProtocol) : true;
    }
    if (increment === 0) {
      stream.streamError(ErrorCode.ProtocolError, Details.ConnectionProtocol);
      return true;
    }
    stream.sendWindow += increment;
    if (stream.sendWindow > max31Bits) stream.streamError(ErrorCode.FlowControlError, Details.StreamFlowControl);
    else stream.flush(Number.MAX_SAFE_INTEGER);
    return true;
  }

  /** Octets of the frames of the block that was read last. */
  protected get blockWireOctets(): number {
    return this.#blocks.wireOctets;
  }

  /** Whether the connection's output is above its watermark: a stream that begins now must hear of it. */
  protected get aboveWatermark(): boolean {
    return this.#aboveWatermark;
  }

  /** Ends the connection: GOAWAY with `code`, and `dispatch` answers `ProtocolError`. Always false. */
  protected fail(code: ErrorCode, details: Details): false {
    if (this.#status === DispatchStatus.Ok) {
      this.#status = DispatchStatus.ProtocolError;
      this.failure = details;
      this.writeGoAway(this.lastPeerStreamId(), code);
    }
    return false;
  }

  /** Ends the connection because the peer asks too much. Always false. */
  protected flooded(details: Details): false {
    if (this.#status === DispatchStatus.Ok) {
      this.fail(ErrorCode.EnhanceYourCalm, details);
      this.#status = DispatchStatus.Flood;
    }
    return false;
  }

  protected writeGoAway(lastStreamId: number, code: number): void {
    this.stats.goawaySent.inc();
    this.#countFrame();
    writeGoAway(this.output, lastStreamId, code);
  }

  ping(): void {
    this.#countControl();
    writePing(this.output, false, keepalivePayload, 0);
  }

  onDataFrame(): void {
    this.#noteDrained();
    this.flood.dataFrameSent();
  }

  schedule(stream: SendSide): void {
    this.#scheduler.add(stream);
  }

  writeTrailers(streamId: number, entries: readonly string[]): number {
    this.beginHead(0, entries);
    this.blockWriter.fields(entries);
    return this.blockWriter.finish(streamId, true, this.peer.maxFrameOctets);
  }

  /** Begins a header block. */
  protected beginHead(textOctets: number, entries: readonly string[]): void {
    this.#countFrame();
    this.blockWriter.begin(textOctets, entries, this.peer.maxFrameOctets);
  }

  releaseConnectionWindow(octets: number): void {
    const increment = this.#window.consume(octets);
    if (increment === 0 || this.#status !== DispatchStatus.Ok) return;
    this.#countFrame();
    writeWindowUpdate(this.output, 0, increment);
  }

  grantStreamWindow(streamId: number, increment: number): void {
    this.#countFrame();
    writeWindowUpdate(this.output, streamId, increment);
  }

  writeReset(streamId: number, errorCode: number): void {
    this.stats.txReset.inc();
    this.#countControl();
    this.recentResets.add(streamId);
    writeRstStream(this.output, streamId, errorCode);
  }

  onMalformed(details: string): void {
    this.stats.rxMessagingError.inc();
    if (!this.options.streamErrorOnInvalidMessage) this.fail(ErrorCode.ProtocolError, details as Details);
  }

  /** Resets every open stream and takes nothing more. */
  protected endAll(reason: ResetReason, details: string): void {
    if (this.#status === DispatchStatus.Ok) this.#status = DispatchStatus.ProtocolError;
    this.onEnd();
    for (const stream of this.streams.snapshot()) stream.end(reason, details);
  }

  onConnectionClosed(reason: ResetReason, details: string): void {
    this.endAll(reason, details);
  }

  onRemoteClose(): void {
    this.endAll('remote_connection_failure', Details.RemoteReset);
  }

  onConnectionAboveWriteBufferHighWatermark(): void {
    this.#aboveWatermark = true;
    for (const stream of this.streams.snapshot()) stream.addBackPressure();
  }

  onConnectionBelowWriteBufferLowWatermark(): void {
    this.#aboveWatermark = false;
    for (const stream of this.streams.snapshot()) stream.removeBackPressure();
  }

  #countFrame(): void {
    this.#noteDrained();
    this.flood.frameSent();
  }

  #countControl(): void {
    this.#noteDrained();
    this.flood.controlFrameSent();
  }

  #noteDrained(): void {
    if (this.output.pendingOctets === 0 && !this.#aboveWatermark) this.flood.outputDrained();
  }
}

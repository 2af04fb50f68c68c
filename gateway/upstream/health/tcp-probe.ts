import { Buffer } from 'node:buffer';
import type { Connection, ConnectionCallbacks, ConnectionEvent, ConnectionSink } from '#gateway/api/connection.ts';
import type { TcpCheck } from './health-check-config.ts';
import { containsInOrder, type Probe, type ProbeListener } from './probe.ts';

/** Opens a connection, sends some octets, and looks for others in what comes back. */
export class TcpProbe implements Probe, ConnectionCallbacks, ConnectionSink {
  readonly #check: TcpCheck;
  readonly #connect: () => Connection;
  readonly #listener: ProbeListener;
  #connection: Connection | null = null;
  #received = '';

  constructor(check: TcpCheck, connect: () => Connection, listener: ProbeListener) {
    this.#check = check;
    this.#connect = connect;
    this.#listener = listener;
  }

  start(): void {
    this.#received = '';
    this.#connection = this.#connect();
    this.#connection.addCallbacks(this);
  }

  abort(): void {
    this.close();
  }

  close(): void {
    const connection = this.#connection;
    this.#connection = null;
    connection?.close('abort', 'health_check');
  }

  onConnectionEvent(event: ConnectionEvent): void {
    const connection = this.#connection;
    if (connection === null) return;
    if (event !== 'connected') {
      this.#connection = null;
      this.#listener.onProbeResult('network');
      return;
    }
    const { send, receive } = this.#check;
    if (send !== null) connection.output.writeChunk(send);
    if (receive.length === 0) this.#succeed();
    else connection.setSink(this);
  }

  onData(chunk: Uint8Array): void {
    this.#received += Buffer.from(chunk).toString('latin1');
    if (containsInOrder(this.#received, this.#check.receive)) this.#succeed();
  }

  onRemoteEnd(): void {
    this.close();
    this.#listener.onProbeResult('network');
  }

  onAboveWriteBufferHighWatermark(): void {}
  onBelowWriteBufferLowWatermark(): void {}

  #succeed(): void {
    const connection = this.#connection;
    this.#connection = null;
    connection?.close('flush', 'health_check');
    this.#listener.onProbeResult('success');
  }
}

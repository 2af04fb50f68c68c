import type { Connection } from '#gateway/api/connection.ts';
import { ConnectionInfo } from '#gateway/api/connection.ts';
import type { UpstreamConnectOptions, UpstreamTransportSocketFactory } from '#gateway/api/transport-socket.ts';
import { type Address, pipeAddress } from '#gateway/base/address.ts';
import { nextConnectionId } from '#gateway/network/connection-id.ts';
import { SocketConnection } from '#gateway/network/socket-connection.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import { connectSocket, localAddressOf } from '#gateway/runtime/sockets.ts';
import type { Timers } from '#gateway/runtime/timers.ts';

/** Opens plain TCP and unix-socket connections: envoy.transport_sockets.raw_buffer, and clusters without a transport socket. */
export class RawUpstreamFactory implements UpstreamTransportSocketFactory {
  readonly secure = false;
  readonly ready = true;
  readonly #clock: Clock;
  readonly #timers: Timers;

  constructor(clock: Clock, timers: Timers) {
    this.#clock = clock;
    this.#timers = timers;
  }

  connect(address: Address, options: UpstreamConnectOptions): Connection {
    const socket = connectSocket({ address, bindAddress: options.bindAddress }, () => {
      info.localAddress = localAddressOf(socket, info.localAddress);
      connection.established();
    });
    const info = new ConnectionInfo(nextConnectionId(), pipeAddress(''), address, this.#clock.wallMs());
    const connection = new SocketConnection(socket, info, { timers: this.#timers, secure: false, connecting: true });
    connection.setBufferLimit(options.bufferLimitOctets);
    connection.startConnectTimer(options.connectTimeoutMs);
    return connection;
  }
}

import type { Route, RouteTable } from '#gateway/api/route.ts';
import type { StreamInfo } from '#gateway/api/stream-info.ts';
import type { RequestHead } from '#gateway/protocol/headers/message-head.ts';
import { barePath } from './path-matcher.ts';
import type { RouteRecorder, VirtualHostRoutes } from './virtual-host.ts';
import { hostWithoutPort, type VirtualHostIndex } from './virtual-host-index.ts';

/** What a compiled route table is made of. */
export interface RouteTableParts {
  readonly name: string;
  readonly internalOnlyHeaders: readonly string[];
  readonly virtualHostNames: readonly string[];
  readonly hosts: VirtualHostIndex<VirtualHostRoutes>;
  readonly ignorePort: boolean;
  readonly ignorePathParameters: boolean;
  /** Look the host up in this header instead of the authority; '' for the authority. */
  readonly hostHeader: string;
}

/** A RouteConfiguration, compiled. Immutable; selecting is pure. */
export class CompiledRouteTable implements RouteTable {
  readonly name: string;
  readonly internalOnlyHeaders: readonly string[];
  readonly virtualHostNames: readonly string[];
  readonly #hosts: VirtualHostIndex<VirtualHostRoutes>;
  readonly #ignorePort: boolean;
  readonly #ignorePathParameters: boolean;
  readonly #hostHeader: string;

  constructor(parts: RouteTableParts) {
    this.name = parts.name;
    this.internalOnlyHeaders = parts.internalOnlyHeaders;
    this.virtualHostNames = parts.virtualHostNames;
    this.#hosts = parts.hosts;
    this.#ignorePort = parts.ignorePort;
    this.#ignorePathParameters = parts.ignorePathParameters;
    this.#hostHeader = parts.hostHeader;
  }

  /** Virtual host by the request's host, then its first route that matches. `recorder` is told of every step. */
  select(
    head: RequestHead,
    streamInfo: StreamInfo,
    random: number,
    recorder: RouteRecorder | null = null,
  ): Route | null {
    const host = this.#hostHeader === '' ? head.authority : (head.get(this.#hostHeader) ?? '');
    const found = this.#hosts.find(this.#ignorePort ? hostWithoutPort(host) : host);
    if (recorder !== null) recorder.onVirtualHost(found === null ? null : found.facts.name);
    if (found === null) return null;
    let bare = barePath(head.path);
    if (this.#ignorePathParameters) {
      const semicolon = bare.indexOf(';');
      if (semicolon !== -1) bare = bare.slice(0, semicolon);
    }
    return found.select(bare, head, streamInfo, random, recorder);
  }
}

import type { ListenerFilterExtension } from '#gateway/api/extension.ts';
import { proxyProtocolExtension } from './proxy-protocol/proxy-protocol.ts';
import { tlsInspectorExtension } from './tls-inspector/tls-inspector.ts';

/** Every listener filter there is. */
export const listenerFilterExtensions: readonly ListenerFilterExtension[] = [
  proxyProtocolExtension,
  tlsInspectorExtension,
];

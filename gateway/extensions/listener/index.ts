import type { ListenerFilterExtension } from '#gateway/api/extension.ts';
import { tlsInspectorExtension } from './tls-inspector/tls-inspector.ts';

/** Every listener filter there is. */
export const listenerFilterExtensions: readonly ListenerFilterExtension[] = [tlsInspectorExtension];

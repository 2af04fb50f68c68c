import type {
  ExtensionRegistry,
  HttpFilterExtension,
  ListenerFilterExtension,
  NetworkFilterExtension,
} from '#gateway/api/extension.ts';
import { httpFilterExtensions } from '#gateway/extensions/http/index.ts';
import { listenerFilterExtensions } from '#gateway/extensions/listener/index.ts';
import { networkFilterExtensions } from '#gateway/extensions/network/index.ts';

function byType<T extends { readonly configType: string }>(list: readonly T[]): ReadonlyMap<string, T> {
  const map = new Map<string, T>();
  for (const extension of list) {
    if (map.has(extension.configType)) throw new Error(`two extensions take ${extension.configType}`);
    map.set(extension.configType, extension);
  }
  return map;
}

/** Puts the explicit lists of all extensions together. */
export function createExtensionRegistry(): ExtensionRegistry {
  return {
    http: byType<HttpFilterExtension>(httpFilterExtensions),
    network: byType<NetworkFilterExtension>(networkFilterExtensions),
    listener: byType<ListenerFilterExtension>(listenerFilterExtensions),
  };
}

import type { HttpFilterExtension } from '#gateway/api/extension.ts';
import { routerExtension } from './router/router-extension.ts';

/** Every HTTP filter there is. */
export const httpFilterExtensions: readonly HttpFilterExtension[] = [routerExtension];

import type { SupportArea } from './support-area.ts';

/** Every area of field classes. A message type is described in one of them only. */
export const areas: readonly SupportArea[] = [];

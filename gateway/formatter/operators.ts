import { refusedOperators } from '#gateway/config/support/command-operators.ts';
import { connectionOperators } from './connection-operators.ts';
import { headerOperators } from './header-operators.ts';
import { metadataOperators } from './metadata-operators.ts';
import { type Operator, refusedOperator } from './provider.ts';
import { streamOperators } from './stream-operators.ts';

/** All command operators by name, refused ones included. */
export const operators: ReadonlyMap<string, Operator> = new Map([
  ...Object.entries(headerOperators),
  ...Object.entries(streamOperators),
  ...Object.entries(connectionOperators),
  ...Object.entries(metadataOperators),
  ...Object.entries(refusedOperators).map(([name, reason]) => [name, refusedOperator(reason)] as const),
]);

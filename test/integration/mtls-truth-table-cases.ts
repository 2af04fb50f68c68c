import { chains, dates, depths, oddities, usages } from './mtls-truth-table-chains.ts';
import { revocation, spiffe } from './mtls-truth-table-revocation.ts';
import { constraints, names, pins, requirements } from './mtls-truth-table-rules.ts';
import type { MtlsCase } from './mtls-truth-table-world.ts';

/** Every line of the table. */
export function mtlsCases(): MtlsCase[] {
  return [
    ...chains(),
    ...dates(),
    ...usages(),
    ...depths(),
    ...oddities(),
    ...constraints(),
    ...names(),
    ...pins(),
    ...requirements(),
    ...revocation(),
    ...spiffe(),
  ];
}

import type { Bootstrap } from '#proto-types/envoy/config/bootstrap/v3/bootstrap_pb.ts';
import type { Diagnostics } from '../diagnostics.ts';

/** Checks of a whole bootstrap that need more than one message. */
export function checkSemantics(_bootstrap: Bootstrap, _found: Diagnostics): void {}

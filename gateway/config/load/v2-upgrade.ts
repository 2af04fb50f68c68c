import type { DescMessage } from '@bufbuild/protobuf';
import type { ProtoRegistry } from '#gateway/proto/registry.ts';
import type { Diagnostics } from '../diagnostics.ts';
import type { SourceUpgrade } from './message-reader.ts';
import type { MapNode } from './source-node.ts';

/** Rewrites the retired v2 style of configuration. */
export class V2Upgrade implements SourceUpgrade {
  constructor(_registry: ProtoRegistry, _found: Diagnostics) {}

  message(_type: DescMessage, node: MapNode, _path: string): MapNode {
    return node;
  }

  typeName(_typeName: string, _path: string): string | null {
    return null;
  }
}

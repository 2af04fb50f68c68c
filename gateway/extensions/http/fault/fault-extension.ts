import type { Message } from '@bufbuild/protobuf';
import type { ExtensionContext } from '#gateway/api/context.ts';
import type { HttpFilterExtension } from '#gateway/api/extension.ts';
import type { FilterChainBuilder, HttpFilterFactory } from '#gateway/api/http-filter.ts';
import type { HTTPFault } from '#proto-types/envoy/extensions/filters/http/fault/v3/fault_pb.ts';
import { compileFaultSettings, createFaultConfig } from './fault-config.ts';
import { FaultFilter } from './fault-filter.ts';

const configType = 'envoy.extensions.filters.http.fault.v3.HTTPFault';

/** envoy.filters.http.fault: delays and errors on purpose. */
export const faultExtension: HttpFilterExtension = {
  name: 'envoy.filters.http.fault',
  configType,
  routeConfigType: configType,
  createFactory(message: Message, context: ExtensionContext): HttpFilterFactory {
    const config = createFaultConfig(message as HTTPFault, context);
    return {
      terminal: false,
      createFilter(chain: FilterChainBuilder): void {
        chain.addDecoderFilter(new FaultFilter(config));
      },
    };
  },
  createRouteConfig(message: Message, context: ExtensionContext): unknown {
    return compileFaultSettings(message as HTTPFault, context);
  },
};

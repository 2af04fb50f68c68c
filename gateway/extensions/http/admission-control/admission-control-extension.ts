import type { Message } from '@bufbuild/protobuf';
import type { ExtensionContext } from '#gateway/api/context.ts';
import type { HttpFilterExtension } from '#gateway/api/extension.ts';
import type { FilterChainBuilder, HttpFilterFactory } from '#gateway/api/http-filter.ts';
import type { AdmissionControl } from '#proto-types/envoy/extensions/filters/http/admission_control/v3/admission_control_pb.ts';
import { AdmissionControlConfig } from './admission-control-config.ts';
import { AdmissionControlFilter } from './admission-control-filter.ts';

/** envoy.filters.http.admission_control: requests are turned away while too many fail. */
export const admissionControlExtension: HttpFilterExtension = {
  name: 'envoy.filters.http.admission_control',
  configType: 'envoy.extensions.filters.http.admission_control.v3.AdmissionControl',
  routeConfigType: null,
  createFactory(message: Message, context: ExtensionContext): HttpFilterFactory {
    const config = new AdmissionControlConfig(message as AdmissionControl, context);
    return {
      terminal: false,
      createFilter(chain: FilterChainBuilder): void {
        chain.addFilter(new AdmissionControlFilter(config));
      },
    };
  },
  createRouteConfig: () => null,
};

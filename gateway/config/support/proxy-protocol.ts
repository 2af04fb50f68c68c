import { type SupportArea, supportArea } from './support-area.ts';

/** The PROXY protocol listener filter. */
export const proxyProtocol: SupportArea = supportArea({
  'envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol': {
    implemented: ['allow_requests_without_proxy_protocol', 'disallowed_versions', 'stat_prefix'],
    noEffect: { tlv_location: 'where TLVs are kept; rules that keep TLVs are refused' },
  },
});

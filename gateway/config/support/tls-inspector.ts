import { type SupportArea, supportArea } from './support-area.ts';

/** The TLS inspector: reads the ClientHello for the choice of the filter chain. */
export const tlsInspector: SupportArea = supportArea({
  'envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector': {
    implemented: [
      'max_client_hello_size',
      'close_connection_on_client_hello_parsing_errors',
      'enable_ja3_fingerprinting',
      'enable_ja4_fingerprinting',
    ],
    noEffect: { initial_read_buffer_size: 'the size of the first read changes no answer' },
  },
});

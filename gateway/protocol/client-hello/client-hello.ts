/** What a TLS client says first. RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2. Numbers are the registered code points. */
export interface ClientHello {
  /** The legacy_version field: 0x0303 for TLS 1.2 and later. */
  readonly legacyVersion: number;
  /** Versions offered: the supported_versions extension, else what legacy_version implies. */
  readonly versions: readonly number[];
  readonly cipherSuites: readonly number[];
  /** Extension types in the order sent, GREASE values included: for fingerprints. */
  readonly extensions: readonly number[];
  /** The host_name of server_name, in lower case, or ''. RFC 6066 section 3. */
  readonly serverName: string;
  /** Application protocols offered, in the client's order. RFC 7301. */
  readonly applicationProtocols: readonly string[];
  /** supported_groups, or null when not sent. */
  readonly groups: readonly number[] | null;
  /** signature_algorithms, or null when not sent. */
  readonly signatureAlgorithms: readonly number[] | null;
  readonly pointFormats: readonly number[];
  /** The client would resume a session by ticket or pre-shared key. */
  readonly offersResumption: boolean;
}

/** TLS versions as on the wire. */
export const TlsVersion = { Tls10: 0x0301, Tls11: 0x0302, Tls12: 0x0303, Tls13: 0x0304 } as const;

import type { Message } from '@bufbuild/protobuf';

/** A certificate chain with its private key, parsed and matched. */
export interface TlsCertificateSecret {
  /** PEM, leaf first. */
  readonly certificateChain: string;
  /** PEM, unencrypted; never logged nor dumped. */
  readonly privateKey: string;
  readonly ocspStaple: Uint8Array | null;
  /** File that the chain came from; absent for inline ones. */
  readonly chainPath?: string;
}

/** Trusted authorities and the rules for peers, as PEM and the message's own fields. */
export interface ValidationSecret {
  /** PEM bundle, or '' when there is none. */
  readonly trustedCa: string;
  /** PEM bundle, or ''. */
  readonly crl: string;
  /** PEM bundles by SPIFFE trust domain, where the context asks for the SPIFFE validator. */
  readonly trustDomains?: readonly { readonly name: string; readonly pem: string }[];
  /** The whole envoy CertificateValidationContext message as it came: SAN matchers, hashes and the rest. */
  readonly context: Message;
}

/** A token, a key of HMAC, a password: what an extension uses as it is. Never logged nor dumped. */
export interface GenericSecretValue {
  /** The secret itself; empty where there are only named ones. */
  readonly value: Uint8Array;
  /** Further ones by their names. */
  readonly named: ReadonlyMap<string, Uint8Array>;
  /** Differs once any of them does; says nothing about them. */
  readonly digest: string;
}

/** Told when a secret has a (new) value. */
export interface SecretListener {
  onSecret(): void;
  /** The secret became `settled`. */
  onSettled?(): void;
}

/** A secret that may change while in use: static, from a file, or from an SDS service. */
export interface SecretSource<T> {
  readonly name: string;
  /** The current value; null while the first is awaited. */
  readonly current: T | null;
  /** Grows with each new value. */
  readonly version: number;
  /**
   * False while the first value is awaited; true once it came, was refused, or did not come in time: whoever waits for it goes
   * on. Absent: true.
   */
  readonly settled?: boolean;
  subscribe(listener: SecretListener): void;
  unsubscribe(listener: SecretListener): void;
}

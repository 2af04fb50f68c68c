import { DerError, type DerReader, DerTag } from '#gateway/protocol/x509/der.ts';

const anyPolicy = '2.5.29.32.0';
const noPolicy = 'no explicit policy';

/** What a certificate says of policies. RFC 5280 sections 4.2.1.4, 4.2.1.5, 4.2.1.11 and 4.2.1.14. */
export interface CertificatePolicies {
  /** Null without the extension. */
  readonly policies: readonly string[] | null;
  readonly hasMappings: boolean;
  /** Certificates that may follow before a policy is needed; -1: not asked for. */
  readonly requireExplicit: number;
  readonly inhibitAny: number;
  /** An extension is malformed. */
  readonly invalid: boolean;
}

/** Gathers what the extensions about policies say. Malformed ones fail the chain, not the certificate, as in Envoy. */
export class PolicyReader {
  #policies: string[] | null = null;
  #hasMappings = false;
  #requireExplicit = -1;
  #inhibitAny = -1;
  #invalid = false;
  #any = false;

  readPolicies(value: DerReader): void {
    this.#read(() => {
      const list = value.next(DerTag.Sequence).inside();
      const policies: string[] = [];
      while (!list.done) {
        const policy = list.next(DerTag.Sequence).inside().next(DerTag.Oid).oid();
        if (policies.includes(policy)) throw new DerError('a policy is there twice');
        policies.push(policy);
      }
      if (policies.length === 0) throw new DerError('no policies');
      this.#policies = policies;
    });
  }

  readMappings(value: DerReader): void {
    this.#read(() => {
      this.#hasMappings = true;
      if (value.next(DerTag.Sequence).inside().done) throw new DerError('no mappings');
    });
  }

  readConstraints(value: DerReader): void {
    this.#read(() => {
      const body = value.next(DerTag.Sequence).inside();
      if (body.done) throw new DerError('no constraints');
      if (body.peekTag() === 0x80) this.#requireExplicit = body.next().integer();
    });
  }

  readInhibitAny(value: DerReader): void {
    this.#read(() => {
      this.#inhibitAny = value.next(DerTag.Integer).integer();
    });
  }

  /** Null when there was nothing about policies. */
  get result(): CertificatePolicies | null {
    if (!this.#any) return null;
    return {
      policies: this.#policies,
      hasMappings: this.#hasMappings,
      requireExplicit: this.#requireExplicit,
      inhibitAny: this.#inhibitAny,
      invalid: this.#invalid,
    };
  }

  #read(body: () => void): void {
    this.#any = true;
    try {
      body();
    } catch (error) {
      if (!(error instanceof DerError)) throw error;
      this.#invalid = true;
    }
  }
}

/** A certificate as policies see it. */
export interface PolicyHolder {
  readonly policies: CertificatePolicies | null;
  /** Subject and issuer have one name. */
  readonly selfIssued: boolean;
}

/**
 * '' when the chain (leaf first, anchor last) keeps to the policies that its issuers ask for, else why not. RFC 5280 section 6.1
 * with one thing left out: where a policy must be there and the chain maps policies, it is refused.
 */
export function policyProblem(chain: readonly PolicyHolder[]): string {
  if (!chain.some((certificate) => certificate.policies !== null)) return '';
  let explicit = chain.length + 1;
  let inhibitAny = chain.length + 1;
  let valid: readonly string[] = [anyPolicy];
  let mapped = false;
  for (let i = chain.length - 2; i >= 0; i--) {
    const { policies: said, selfIssued } = chain[i]!;
    if (said?.invalid === true) return 'invalid or inconsistent certificate policy extension';
    valid = narrowed(valid, said?.policies ?? [], inhibitAny > 0 || (i > 0 && selfIssued));
    if (explicit === 0 && valid.length === 0) return noPolicy;
    mapped ||= said?.hasMappings === true;
    if (i === 0 || !selfIssued) {
      explicit = Math.max(0, explicit - 1);
      inhibitAny = Math.max(0, inhibitAny - 1);
    }
    if (said !== null && said.requireExplicit !== -1) explicit = Math.min(explicit, said.requireExplicit);
    if (said !== null && said.inhibitAny !== -1) inhibitAny = Math.min(inhibitAny, said.inhibitAny);
  }
  return explicit === 0 && (valid.length === 0 || mapped) ? noPolicy : '';
}

/** The policies that are still valid below a certificate with its `own`. */
function narrowed(valid: readonly string[], own: readonly string[], anyAllowed: boolean): readonly string[] {
  const wildcard = valid.includes(anyPolicy);
  const named = own.filter((policy) => policy !== anyPolicy && (wildcard || valid.includes(policy)));
  return own.includes(anyPolicy) && anyAllowed ? [...new Set([...valid, ...named])] : named;
}

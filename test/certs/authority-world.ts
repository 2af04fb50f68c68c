import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CertificateAuthority } from '#certs/ca/certificate-authority.ts';
import { type AuthorityPlan, createAuthorityDirectory } from '#certs/ca/create-authority.ts';
import type { StoreSecret } from '#certs/ca/encrypted-private-key.ts';
import type { Clock } from '#gateway/runtime/clock.ts';

/** One hour, milliseconds. */
export const hour = 3_600_000;

/** A directory for an authority, with a clock that a test moves. */
export class AuthorityWorld implements Clock {
  now: number;
  readonly base: string = mkdtempSync(join(tmpdir(), 'sluice-ca-'));
  readonly directory: string = join(this.base, 'state');

  constructor(now: number = Date.UTC(2030, 0, 1)) {
    this.now = now;
  }

  nowMs(): number {
    return this.now;
  }

  wallMs(): number {
    return this.now;
  }

  /** Makes the authority. */
  async create(change: Partial<AuthorityPlan> = {}): Promise<CertificateAuthority> {
    const plan: AuthorityPlan = {
      directory: this.directory,
      name: 'Test CA',
      key: 'P-256',
      rootLifetimeMs: 10_000 * hour,
      intermediateLifetimeMs: 5000 * hour,
      constraints: null,
      crlUrl: null,
      trustDomain: null,
      secret: null,
      rootSecret: null,
      ...change,
    };
    await createAuthorityDirectory(plan, this.now);
    return this.open(plan.secret);
  }

  /** Opens what is there. */
  open(secret: StoreSecret | null = null): CertificateAuthority {
    return new CertificateAuthority({ directory: this.directory, secret, clock: this });
  }

  remove(): void {
    rmSync(this.base, { recursive: true, force: true });
  }
}

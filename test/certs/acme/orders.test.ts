import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { AcmeAccount } from '#certs/acme/acme-account.ts';
import { AcmeError } from '#certs/acme/acme-error.ts';
import type { AcmeCertificateSettings } from '#certs/acme/acme-settings.ts';
import { AcmeSource } from '#certs/acme/acme-source.ts';
import { AcmeTransport } from '#certs/acme/acme-transport.ts';
import { DiskStorage } from '#certs/acme/disk-storage.ts';
import { renewalIdentifier } from '#certs/acme/renewal-identifier.ts';
import { StoredChallenges } from '#certs/acme/stored-challenges.ts';
import { Logger } from '#gateway/base/log.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import { createSystemRandom } from '#gateway/runtime/random.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import { FakeAuthority, type ForcedAnswer } from '#test/support/acme-authority.ts';
import { withFolder } from '#test/support/acme-run.ts';
import { until } from '#test/support/until.ts';
import { VirtualTime } from '#test/support/virtual-time.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** One authority, one storage, a clock that stands still; `replica` makes a process of certs/ with both. */
interface World {
  readonly authority: FakeAuthority;
  readonly time: VirtualTime;
  /** Moves the calendar on; timers do not notice. */
  skip(milliseconds: number): void;
  wallMs(): number;
  readonly lines: string[];
  replica(...settings: Partial<AcmeCertificateSettings>[]): AcmeSource;
  /** One whose timers never go off, as in a process that was killed: it waits for ever and keeps no lock. */
  killedReplica(): AcmeSource;
}

async function withWorld(work: (world: World) => Promise<void>): Promise<void> {
  await withFolder(async (dir) => {
    const authority = new FakeAuthority();
    await authority.start();
    const time = new VirtualTime();
    let skippedMs = 0;
    const clock: Clock = { nowMs: () => time.nowMs(), wallMs: () => time.wallMs() + skippedMs };
    const skip = (milliseconds: number): void => {
      skippedMs += milliseconds;
    };
    authority.nowMs = clock.wallMs;
    const lines: string[] = [];
    const log = new Logger('acme', { write: (_level, _component, message) => lines.push(message) }, 'debug');
    const random = createSystemRandom();
    const sources: AcmeSource[] = [];
    const { directoryUrl } = authority;
    const parts = (): { storage: DiskStorage; account: AcmeAccount } => {
      const storage = new DiskStorage(join(dir, 'state'), clock, random);
      const transport = new AcmeTransport({ trustedAuthorities: null, timers: time.timers });
      return {
        storage,
        account: new AcmeAccount({
          registration: null,
          directoryUrl,
          storage,
          transport,
          clock,
          timers: time.timers,
          log,
        }),
      };
    };
    const make = (timers: Timers, settings: readonly Partial<AcmeCertificateSettings>[]): AcmeSource => {
      const { storage, account } = parts();
      const certificates = (settings.length === 0 ? [{}] : settings).map(
        (some): AcmeCertificateSettings => ({
          name: 'edge',
          dns: ['a.test', 'b.test'],
          challenge: 'http-01',
          keyType: 'p256',
          preferredChain: null,
          profile: null,
          ...some,
        }),
      );
      const responders = [new StoredChallenges('http-01', storage)];
      const shared = { directoryUrl, certificates, storage, account, responders, random, log };
      const source = new AcmeSource({ ...shared, clock, timers });
      sources.push(source);
      return source;
    };
    try {
      await parts().account.register({ contacts: [], termsAgreed: true, externalAccount: null });
      const replica = (...settings: Partial<AcmeCertificateSettings>[]): AcmeSource => make(time.timers, settings);
      const killedReplica = (): AcmeSource => make(new VirtualTime().timers, []);
      await work({ killedReplica, authority, time, skip, wallMs: clock.wallMs, lines, replica });
    } finally {
      for (const source of sources) await source.close();
      await authority.stop();
    }
  });
}

function limited(retryAfterSeconds: number): ForcedAnswer {
  return {
    status: 429,
    body: { type: 'urn:ietf:params:acme:error:rateLimited', detail: 'too many certificates already issued' },
    headers: { 'retry-after': String(retryAfterSeconds) },
  };
}

/** The same answer for every request to one path. */
function only(path: string, answer: ForcedAnswer): (asked: string) => ForcedAnswer | null {
  return (asked) => (asked.startsWith(path) ? answer : null);
}

async function failure(work: Promise<unknown>): Promise<AcmeError> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof AcmeError, String(error));
    return error;
  }
  throw new Error('it did not fail');
}

describe('a rate limit', () => {
  it('is waited for, over restarts, by all replicas, and by force too', async () => {
    await withWorld(async ({ authority, skip, replica }) => {
      authority.force = only('/new-order', limited(7200));
      const first = replica();
      const told = await failure(first.order('edge', false));
      assert.equal(told.kind, 'rate_limited');
      assert.equal(told.retryAfterMs, 7_200_000);
      assert.match(
        told.message,
        /^order 'edge' \(a\.test, b\.test\): .*HTTP 429, rateLimited: too many.*nothing is asked again/,
      );
      assert.equal(authority.count('/new-order'), 1);
      authority.force = () => null;

      const restarted = replica();
      assert.equal(await restarted.order('edge', false), 'current');
      assert.equal((await failure(restarted.order('edge', true))).kind, 'rate_limited');
      assert.equal(restarted.status()[0]!.state, 'failing');
      skip(2 * hourMs - 1000);
      assert.equal(await restarted.order('edge', false), 'current');
      assert.equal(authority.count('/new-order'), 1);

      skip(hourMs);
      assert.equal(await restarted.order('edge', false), 'issued');
      assert.equal(restarted.status()[0]!.state, 'ok');
    });
  });

  it('of one name for days holds the other certificates of the account for minutes only', async () => {
    await withWorld(async ({ authority, skip, replica }) => {
      const source = replica({ name: 'edge' }, { name: 'other', dns: ['c.test'] });
      authority.force = only('/new-order', limited(3 * 86_400));
      await failure(source.order('edge', false));
      authority.force = () => null;
      assert.equal(await source.order('other', false), 'current');
      skip(hourMs);
      assert.equal(await source.order('other', false), 'issued');
      assert.equal(await source.order('edge', false), 'current');
    });
  });
});

describe('an order', () => {
  it('that was interrupted is gone on with: one order, one key', async () => {
    await withWorld(async ({ authority, skip, lines, replica }) => {
      authority.force = only('/finalize', { status: 500, body: { type: 'urn:ietf:params:acme:error:serverInternal' } });
      const told = await failure(replica().order('edge', false));
      assert.equal(told.kind, 'unreachable');
      assert.match(told.message, /order 'edge' .* http:\/\/127\.0\.0\.1:\d+\/order\/1: /);
      authority.force = () => null;
      skip(10 * 60_000);
      assert.equal(await replica().order('edge', false), 'issued');
      assert.equal(authority.count('/new-order'), 1);
      assert.ok(
        lines.some((line) => /going on with .*\/order\/1, which is ready/.test(line)),
        lines.join('\n'),
      );
    });
  });

  it('of a replica that was killed is gone on with by another, once its lock has ended', async () => {
    await withWorld(async ({ authority, skip, replica, killedReplica }) => {
      const token = 'token-1-0123456789abcdef';
      const challenges = [{ type: 'http-01', status: 'pending', token, url: `${authority.url}/challenge/1` }];
      const pending = { status: 'pending', identifier: { type: 'dns', value: 'a.test' }, challenges };
      authority.force = only('/authz', { status: 200, body: pending });
      const killed = killedReplica().order('edge', false);
      killed.catch(() => {});
      await until(() => authority.count('/challenge/1') === 1);
      const other = replica();
      assert.equal(await other.order('edge', false), 'held');
      authority.force = () => null;
      skip(61_000);
      assert.equal(await other.order('edge', false), 'issued');
      assert.equal(authority.count('/new-order'), 1);
    });
  });

  it('that was turned down is not gone on with, and its name waits', async () => {
    await withWorld(async ({ authority, skip, replica }) => {
      authority.force = only('/finalize', {
        status: 403,
        body: { type: 'urn:ietf:params:acme:error:rejectedIdentifier' },
      });
      const source = replica();
      assert.equal((await failure(source.order('edge', false))).kind, 'refused');
      authority.force = () => null;
      assert.equal(await source.order('edge', false), 'current');
      skip(hourMs);
      assert.equal(await source.order('edge', false), 'issued');
      assert.equal(authority.count('/new-order'), 2);
    });
  });

  it('is made once by replicas with one storage, and all of them have its certificate', async () => {
    await withWorld(async ({ authority, time, replica }) => {
      const seen: string[] = [];
      const replicas = [replica(), replica(), replica()];
      for (const source of replicas)
        await source.start({ onCertificate: (name, { serial }) => seen.push(`${name} ${serial}`) });
      const all = until(() => seen.length >= 3);
      const moving = (async () => {
        while (seen.length < 3) {
          // Slowly: locks and the authority's answers have their time by this clock too.
          time.advance(50);
          await new Promise((done) => setTimeout(done, 5));
        }
      })();
      await all;
      await moving;
      assert.equal(authority.count('/new-order'), 1);
      assert.equal(new Set(seen).size, 1);
    });
  });

  it('is made anew when other names are asked for', async () => {
    await withWorld(async ({ replica }) => {
      assert.equal(await replica().order('edge', false), 'issued');
      assert.equal(await replica().order('edge', false), 'current');
      assert.equal(await replica({ dns: ['b.test', 'a.test'] }).order('edge', false), 'current');
      const more = replica({ dns: ['a.test', 'b.test', 'c.test'] });
      assert.equal(await more.order('edge', false), 'issued');
      assert.match(more.current('edge')!.names, /DNS:c\.test/);
    });
  });

  it('says nothing secret in what it logs', async () => {
    await withWorld(async ({ lines, replica }) => {
      await replica().order('edge', false);
      assert.ok(!/PRIVATE KEY|token-1/.test(lines.join('\n')), lines.join('\n'));
    });
  });
});

describe('renewal', () => {
  it('by the life of the certificate where no window is offered', async () => {
    await withWorld(async ({ authority, skip, replica }) => {
      const source = replica();
      await source.order('edge', false);
      const before = source.current('edge')!.serial;
      skip(50 * dayMs);
      assert.equal(await source.order('edge', false), 'current');
      skip(11 * dayMs);
      assert.equal(await source.order('edge', false), 'issued');
      assert.notEqual(source.current('edge')!.serial, before);
      assert.equal(authority.count('/new-order'), 2);
    });
  });

  it('in the window that the authority suggests, as a replacement, with its reason told', async () => {
    await withWorld(async ({ authority, skip, wallMs, lines, replica }) => {
      const at = (days: number): string => new Date(wallMs() + days * dayMs).toISOString();
      const window = (start: string, end: string): ForcedAnswer => ({
        status: 200,
        body: { suggestedWindow: { start, end }, explanationURL: 'https://ca.test/why' },
        headers: { 'retry-after': '21600' },
      });
      authority.renewalInfo = window(at(70), at(72));
      const source = replica();
      await source.order('edge', false);
      const identifier = renewalIdentifier(source.current('edge')!.chainPem);
      assert.equal(authority.count(`/renewal-info/${identifier}`), 1);
      skip(69 * dayMs);
      assert.equal(await source.order('edge', false), 'current');
      // The authority has to revoke: the window moves to the past.
      authority.renewalInfo = window(at(-2), at(-1));
      skip(dayMs / 2);
      assert.equal(await source.order('edge', false), 'issued');
      const orders = authority.seen.filter(({ path }) => path === '/new-order');
      assert.equal(orders[0]!.payload!['replaces'], undefined);
      assert.equal(orders[1]!.payload!['replaces'], identifier);
      assert.ok(lines.some((line) => line.includes('see https://ca.test/why')));
    });
  });

  it('goes by the plan there is when renewal information fails', async () => {
    await withWorld(async ({ authority, skip, replica }) => {
      authority.renewalInfo = { status: 503, body: {} };
      const source = replica();
      await source.order('edge', false);
      assert.equal(await source.order('edge', false), 'current');
      skip(61 * dayMs);
      assert.equal(await source.order('edge', false), 'issued');
    });
  });
});

import type { Logger } from '#gateway/base/log.ts';
import { printable } from '#gateway/base/printable.ts';
import type { AcmeAuthorization, AcmeChallenge, AcmeConnection } from './acme-connection.ts';
import { AcmeError, asAcmeError, describeProblem, interruptions } from './acme-error.ts';
import type { ChallengeResponder, PresentedChallenge } from './challenge-responder.ts';
import { type OrderLimits, pollUntil } from './poll-until.ts';

/** One name under proof. */
interface Proof {
  readonly authorization: AcmeAuthorization;
  readonly challenge: AcmeChallenge;
  readonly presented: PresentedChallenge;
  told: boolean;
}

/** Proves the names of one order: all answers are prepared, then the authority is told, then all verdicts are awaited. */
export class AuthorizationRunner {
  readonly #connection: AcmeConnection;
  readonly #responder: ChallengeResponder;
  readonly #limits: OrderLimits;
  readonly #log: Logger;

  constructor(connection: AcmeConnection, responder: ChallengeResponder, limits: OrderLimits, log: Logger) {
    this.#connection = connection;
    this.#responder = responder;
    this.#limits = limits;
    this.#log = log;
  }

  /** Throws an `AcmeError` that names every name that was not proven. Answers are cleared up either way. */
  async proveAll(urls: readonly string[]): Promise<void> {
    const responder = this.#responder;
    const proofs: Proof[] = [];
    const presented: Proof[] = [];
    try {
      for (const url of urls) {
        const { value: authorization } = await this.#connection.getAuthorization(url);
        if (authorization.status === 'valid') continue;
        proofs.push(await this.#prepare(authorization));
      }
      for (const proof of proofs) {
        presented.push(proof); // before: a failed attempt may have left something behind
        await responder.present(proof.presented);
      }
      for (const proof of proofs) {
        // A resumed order's challenge may be with the authority already: telling it twice would be an error.
        if (proof.challenge.status === 'pending') await this.#connection.completeChallenge(proof.challenge);
        proof.told = true;
      }
      await this.#awaitVerdicts(proofs);
    } catch (error) {
      // Out of reach or stopped: whoever goes on with the order needs what is pending.
      if (!interruptions.has(asAcmeError(error).kind)) await this.#giveUp(proofs);
      throw error;
    } finally {
      for (const { presented: challenge } of presented) await this.#remove(responder, challenge);
    }
  }

  async #prepare(authorization: AcmeAuthorization): Promise<Proof> {
    const domain = authorization.identifier.value;
    const { type } = this.#responder;
    if (authorization.status !== 'pending')
      throw new AcmeError('refused', `${domain}: the authorization is ${authorization.status}`);
    const challenge = authorization.challenges.find((offered) => offered.type === type);
    if (challenge === undefined) {
      const offered = authorization.challenges.map((one) => one.type).join(', ');
      throw new AcmeError('settings', `${domain}: the authority does not offer ${type}, it offers ${offered}`);
    }
    const keyAuthorization = await this.#connection.keyAuthorization(challenge);
    return {
      authorization,
      challenge,
      presented: { domain, token: challenge.token, keyAuthorization },
      told: false,
    };
  }

  async #awaitVerdicts(proofs: readonly Proof[]): Promise<void> {
    const failures: string[] = [];
    for (const { authorization } of proofs) {
      const verdict = await pollUntil(
        () => this.#connection.getAuthorization(authorization.url),
        ({ status }) => status !== 'pending',
        this.#limits,
      );
      const name = `${authorization.wildcard === true ? '*.' : ''}${authorization.identifier.value}`;
      if (verdict.status === 'valid') {
        this.#log.info(`${this.#responder.type}: ${name} is proven`);
        continue;
      }
      const problem = verdict.challenges.find(({ error }) => error !== undefined)?.error;
      failures.push(
        `${name}: ${problem === undefined ? `the authorization is ${verdict.status}` : describeProblem(problem)}`,
      );
    }
    if (failures.length > 0)
      throw new AcmeError('challenge', `${this.#responder.type} failed for ${failures.join('; ')}`);
  }

  /** What was never shown to the authority would stay pending, and pending authorizations are counted and limited. */
  async #giveUp(proofs: readonly Proof[]): Promise<void> {
    for (const { authorization, told } of proofs) {
      if (told) continue;
      try {
        await this.#connection.deactivateAuthorization(authorization.url);
      } catch (error) {
        if (this.#log.debugOn) this.#log.debug(`cannot deactivate: ${asAcmeError(error).message}`);
      }
    }
  }

  async #remove(responder: ChallengeResponder, challenge: PresentedChallenge): Promise<void> {
    try {
      await responder.remove(challenge);
    } catch (error) {
      const reason = printable(asAcmeError(error).message);
      this.#log.warning(`${responder.type}: the answer for ${challenge.domain} was not removed: ${reason}`);
    }
  }
}

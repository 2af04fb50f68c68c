import type { ChallengeType } from './acme-settings.ts';

/** A challenge to be answered. */
export interface PresentedChallenge {
  /** The name without `*.`. */
  readonly domain: string;
  /** From the authority. */
  readonly token: string;
  /** What proves the account: a text for http-01 and tls-alpn-01, the TXT record's value for dns-01. */
  readonly keyAuthorization: string;
}

/** Answers one type of challenge. */
export interface ChallengeResponder {
  readonly type: ChallengeType;
  /** Resolves when the authority may look. Throws `AcmeError`. */
  present(challenge: PresentedChallenge): Promise<void>;
  /** Clears up; failures are told and change nothing. */
  remove(challenge: PresentedChallenge): Promise<void>;
}

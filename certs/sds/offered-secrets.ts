import type { EncodedResponses } from './encoded-responses.ts';
import type { SecretResource, SecretResources } from './secret-resources.ts';

/** The secrets that one client may have, and the responses made of them. */
export class OfferedSecrets {
  readonly responses: EncodedResponses;
  readonly #resources: SecretResources;
  readonly #allows: (name: string) => boolean;

  /** `allows`: whether the client may have the secret of a name. */
  constructor(resources: SecretResources, responses: EncodedResponses, allows: (name: string) => boolean = all) {
    this.#resources = resources;
    this.responses = responses;
    this.#allows = allows;
  }

  /** Whether the client may have it, be it there or not. */
  allows(name: string): boolean {
    return this.#allows(name);
  }

  /** Undefined also when the client may not have it: it learns nothing of what there is. */
  get(name: string): SecretResource | undefined {
    return this.#allows(name) ? this.#resources.get(name) : undefined;
  }

  /** Names of all that the client may have. */
  names(): string[] {
    return this.#resources.names().filter(this.#allows);
  }
}

function all(): boolean {
  return true;
}

/** Told when the service becomes healthy or not. */
export interface HealthListener {
  onHealthChanged(healthy: boolean): void;
}

/** Whether the service is to be sent traffic. All parts must be well; it begins unwell until Redis has answered. */
export class Health {
  readonly #listeners = new Set<HealthListener>();
  #store = false;
  #stopping = false;
  #config: boolean;
  readonly #needsConfig: boolean;

  /** `needsConfig`: HEALTHY_WITH_AT_LEAST_ONE_CONFIG_LOADED. */
  constructor(needsConfig: boolean) {
    this.#config = !needsConfig;
    this.#needsConfig = needsConfig;
  }

  get healthy(): boolean {
    return this.#store && this.#config && !this.#stopping;
  }

  /** The store has answered, or (REDIS_HEALTH_CHECK_ACTIVE_CONNECTION) has gone. */
  setStore(well: boolean): void {
    this.#change(() => {
      this.#store = well;
    });
  }

  /** A configuration with this many domains was put in force. */
  setDomains(count: number): void {
    if (!this.#needsConfig) return;
    this.#change(() => {
      this.#config = count > 0;
    });
  }

  /** The process is about to end. */
  setStopping(): void {
    this.#change(() => {
      this.#stopping = true;
    });
  }

  subscribe(listener: HealthListener): void {
    this.#listeners.add(listener);
  }

  unsubscribe(listener: HealthListener): void {
    this.#listeners.delete(listener);
  }

  #change(apply: () => void): void {
    const before = this.healthy;
    apply();
    if (this.healthy !== before) for (const listener of [...this.#listeners]) listener.onHealthChanged(this.healthy);
  }
}

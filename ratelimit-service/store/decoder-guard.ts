import * as handlerModule from 'ioredis/built/DataHandler.js';

/** What of the client's reader of replies is used here. */
interface DataHandlerPrototype {
  dispatch(handle: () => void): void;
  returnFatalError(error: Error): void;
}

let guarded = false;

/**
 * Makes the client end a connection whose replies it cannot handle. Left alone it throws outside of any call then, which ends
 * a process: a null that nobody asked for is enough.
 */
export function guardDecoder(): void {
  if (guarded) return;
  guarded = true;
  const prototype = handlerPrototype();
  prototype.dispatch = function (this: DataHandlerPrototype, handle: () => void): void {
    try {
      handle();
    } catch (error) {
      this.returnFatalError(error as Error);
    }
  };
}

/** Runtimes do not agree on what the default export of a CommonJS module is. */
function handlerPrototype(): DataHandlerPrototype {
  let found: unknown = handlerModule;
  while (typeof found === 'object' && found !== null) found = (found as { readonly default?: unknown }).default;
  if (typeof found !== 'function') throw new Error('ioredis has no DataHandler any more');
  return found.prototype as DataHandlerPrototype;
}

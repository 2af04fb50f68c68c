/** Work put off to the end of the current event-loop turn. */
export interface TurnTask {
  onTurnEnd(): void;
}

let queue: TurnTask[] = [];
let spare: TurnTask[] = [];
let scheduled = false;
let turnMs = 0; // 0: not read yet in this turn

/**
 * Runs `task.onTurnEnd()` once when the events of this turn have been handled. Connections flush their output here: one
 * `setImmediate` serves all of them. The caller makes sure that it does not queue one task twice.
 */
export function atTurnEnd(task: TurnTask): void {
  queue.push(task);
  if (!scheduled) {
    scheduled = true;
    setImmediate(runTurnEnd);
  }
}

/**
 * Monotonic milliseconds, read from the system once a turn as soon as the turn has work put off to its end: what happens in
 * one turn happens at one time.
 */
export function turnNowMs(): number {
  if (!scheduled) return performance.now();
  if (turnMs === 0) turnMs = performance.now();
  return turnMs;
}

function runTurnEnd(): void {
  turnMs = 0;
  const tasks = queue;
  queue = spare;
  scheduled = false;
  let i = 0;
  try {
    for (; i < tasks.length; i++) tasks[i]!.onTurnEnd();
  } finally {
    // One task that throws must not cost the others their turn.
    for (i++; i < tasks.length; i++) atTurnEnd(tasks[i]!);
    tasks.length = 0;
    spare = tasks;
  }
}

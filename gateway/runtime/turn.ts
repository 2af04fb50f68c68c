/** Work put off to the end of the current event-loop turn. */
export interface TurnTask {
  onTurnEnd(): void;
}

let queue: TurnTask[] = [];
let spare: TurnTask[] = [];
let scheduled = false;

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

function runTurnEnd(): void {
  const tasks = queue;
  queue = spare;
  scheduled = false;
  for (let i = 0; i < tasks.length; i++) tasks[i]!.onTurnEnd();
  tasks.length = 0;
  spare = tasks;
}

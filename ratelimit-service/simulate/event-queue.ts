/** Something that happens at a time. */
export interface TimedEvent {
  /** Microseconds since the Unix epoch. */
  readonly timeUs: number;
  /** Which of two at one time comes first: the lower. */
  readonly order: number;
}

/** Events by their time: a binary heap. */
export class EventQueue<Event extends TimedEvent> {
  readonly #heap: Event[] = [];

  get size(): number {
    return this.#heap.length;
  }

  /** The one that comes next; null when there is none. */
  get first(): Event | null {
    return this.#heap[0] ?? null;
  }

  add(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(event, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = event;
  }

  /** Takes the one that comes next; null when there is none. */
  take(): Event | null {
    const heap = this.#heap;
    const first = heap[0] ?? null;
    const moved = heap.pop();
    if (moved === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, moved)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = moved;
    return first;
  }
}

function before(a: TimedEvent, b: TimedEvent): boolean {
  return a.timeUs < b.timeUs || (a.timeUs === b.timeUs && a.order < b.order);
}

interface Entry<T> {
  readonly item: T;
  deadline: number;
  order: number;
}

/**
 * Earliest deadline first: picks items in proportion to their weights, smoothly. An item's next deadline is the current
 * one plus 1/weight; ties go to the one that waited longer. Weights are asked for at each pick and must be above 0.
 */
export class EdfSchedule<T> {
  readonly #heap: Entry<T>[] = [];
  readonly #weight: (item: T) => number;
  #order = 0;

  constructor(items: readonly T[], weight: (item: T) => number) {
    this.#weight = weight;
    for (const item of items) {
      this.#heap.push({ item, deadline: 1 / weight(item), order: this.#order++ });
      this.#siftUp(this.#heap.length - 1);
    }
  }

  /** The next item, or null when there are none. */
  pick(): T | null {
    const top = this.#heap[0];
    if (top === undefined) return null;
    top.deadline += 1 / this.#weight(top.item);
    top.order = this.#order++;
    this.#siftDown();
    return top.item;
  }

  #siftUp(start: number): void {
    const heap = this.#heap;
    let i = start;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(heap[i]!, heap[parent]!)) return;
      swap(heap, i, parent);
      i = parent;
    }
  }

  #siftDown(): void {
    const heap = this.#heap;
    let i = 0;
    for (;;) {
      let least = i;
      const left = 2 * i + 1;
      if (left < heap.length && before(heap[left]!, heap[least]!)) least = left;
      if (left + 1 < heap.length && before(heap[left + 1]!, heap[least]!)) least = left + 1;
      if (least === i) return;
      swap(heap, i, least);
      i = least;
    }
  }
}

function before<T>(a: Entry<T>, b: Entry<T>): boolean {
  return a.deadline < b.deadline || (a.deadline === b.deadline && a.order < b.order);
}

function swap<T>(heap: Entry<T>[], i: number, j: number): void {
  const held = heap[i]!;
  heap[i] = heap[j]!;
  heap[j] = held;
}

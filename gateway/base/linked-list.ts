/** What an object needs in order to be in a `LinkedList`; it can be in one at a time. The fields belong to the list. */
export interface Linked<T> {
  previous: T | null;
  next: T | null;
  linked: boolean;
}

/**
 * Objects in the order in which they came, added and removed in constant time, without allocation.
 *
 * For what comes and goes with traffic it stands in for a Set: JavaScriptCore replaces a Set's storage again and again under
 * churn, and a dead storage that has grown old keeps all that came after it alive until a full collection. What leaves this
 * list points to nothing and nothing points to it.
 */
export class LinkedList<T extends Linked<T>> {
  #first: T | null = null;
  #last: T | null = null;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The one that came first, null when the list is empty. */
  get first(): T | null {
    return this.#first;
  }

  /** Adds `item`, which is in no list, at the end. */
  add(item: T): void {
    item.linked = true;
    item.previous = this.#last;
    if (this.#last === null) this.#first = item;
    else this.#last.next = item;
    this.#last = item;
    this.#size++;
  }

  /** Removes `item` from this list; false when it is in none. */
  delete(item: T): boolean {
    if (!item.linked) return false;
    if (item.previous === null) this.#first = item.next;
    else item.previous.next = item.next;
    if (item.next === null) this.#last = item.previous;
    else item.next.previous = item.previous;
    item.previous = null;
    item.next = null;
    item.linked = false;
    this.#size--;
    return true;
  }

  /** The items of this moment: the caller's own array, so that items may leave while it is read. */
  snapshot(): T[] {
    const items: T[] = [];
    for (let item = this.#first; item !== null; item = item.next) items.push(item);
    return items;
  }
}

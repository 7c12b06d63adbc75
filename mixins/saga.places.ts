/** Where only so many may be at once, the others wait for their turn. */
export class Places {
  readonly #isFull: () => boolean;
  readonly #waiting: (() => void)[] = [];

  constructor(isFull: () => boolean) {
    this.#isFull = isFull;
  }

  /** To be looked at again after each wait: another may have been quicker. */
  get full(): boolean {
    return this.#isFull();
  }

  next(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  free(): void {
    this.#waiting.shift()?.();
  }

  freeAll(): void {
    for (const free of this.#waiting.splice(0)) free();
  }
}

/** Who may work on what: a name is held by one owner until a moment, unless renewed. Being late does no harm, it only doubles work. */
export interface LeaseStore {
  /** Takes or renews the name for `ttl` milliseconds. False where another owner holds it still. */
  take(name: string, owner: string, ttl: number): Promise<boolean>;
  /** Gives it back before its time. */
  leave(name: string, owner: string): Promise<void>;
  /** Those of the owners who hold any name now. */
  alive(owners: string[]): Promise<Set<string>>;
  close(): Promise<void>;
}

export interface Granted {
  /** How many tokens were taken, at most as many as were wanted. */
  readonly granted: number;
  /** Milliseconds until there will be one more. */
  readonly dry: number;
}

/** Token buckets that all gateways of a system share: each fills with `rate` a second up to `burst`, and is full at first. */
export interface SharedLimit {
  /** Whether it can be asked at this moment. */
  readonly up: boolean;
  /** Takes tokens of a client's bucket. Undefined, within a quarter of a second, where it cannot be asked. */
  take(client: string, wanted: number, rate: number, burst: number): Promise<Granted | undefined>;
  close(): void;
}

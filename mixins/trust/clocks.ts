/** Seconds that the clocks of two hosts may differ: beyond, they do not hear each other. */
export const SKEW = 30;

const WRITE = 15_000; // milliseconds from the time that a write says to where others can read it; a store's answer counts as lost much sooner

/**
 * Milliseconds by which who is asked for what is new "since" looks back. A time may come from one host, the next question go to another: a
 * third one hears both, though one is ahead of it and one behind.
 */
export const LOOK_BACK = 2 * SKEW * 1_000 + WRITE;

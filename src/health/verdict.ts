// What a probe finds out about a real server.

/** `unknown`: nothing that would count for or against it. */
export type State = 'up' | 'down' | 'unknown';

export interface Finding {
  readonly state: State;
  /** For people: a lower-case sentence without a full stop. */
  readonly reason: string;
  /** What it says about its weight; it holds until the next word about it. */
  readonly weight?: WeightAdvice;
}

export interface Verdict extends Finding {
  readonly durationMs: number;
}

/** The real server's own word. Each of the three holds until it is said anew. */
export interface WeightAdvice {
  /** Of the configured weight. */
  readonly percent?: number;
  /** In place of the configured weight. */
  readonly value?: number;
  /** No new connections although it is up: as weight 0. */
  readonly isQuiesced?: boolean;
}

export function up(reason: string, weight?: WeightAdvice): Finding {
  return weight === undefined ? { state: 'up', reason } : { state: 'up', reason, weight };
}

export function down(reason: string): Finding {
  return { state: 'down', reason };
}

export function unknown(reason: string, weight?: WeightAdvice): Finding {
  return weight === undefined ? { state: 'unknown', reason } : { state: 'unknown', reason, weight };
}

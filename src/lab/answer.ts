// What the laboratory's client asks and what its real servers answer: lines of JSON between processes.
export interface Question {
  readonly protocol: 'tcp' | 'udp';
  readonly to: string;
  readonly port: number;
  /** The client's own port, so that the packets of this question can be told from all others. */
  readonly localPort: number;
  /** Travels in the request and comes back in the answer. */
  readonly token: string;
  readonly timeoutMs: number;
}

/** What the real server saw. */
export interface Answer {
  readonly realServer: string;
  readonly port: number;
  readonly peer: string;
  readonly peerPort: number;
  readonly token: string;
}

export type Reply =
  | { readonly token: string; readonly answer: Answer }
  | { readonly token: string; readonly failure: string };

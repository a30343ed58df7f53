// Failures of the network in words, without the addresses that the reader knows.
const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EHOSTUNREACH: 'no route to it, or nobody there',
  ENETUNREACH: 'no route to its network',
  ETIMEDOUT: 'no answer',
  EPIPE: 'it closed the connection',
  EADDRNOTAVAIL: 'no local address or port left to ask from',
  EACCES: 'not permitted',
  EPERM: 'not permitted',
};

export function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as NodeJS.ErrnoException;
  return (code !== undefined && words[code]) || error.message;
}

/** Why a probe was given up. */
export function abortion({ reason }: AbortSignal): string {
  return reason instanceof Error ? reason.message : 'given up';
}

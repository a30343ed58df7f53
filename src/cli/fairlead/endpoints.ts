// What fairlead trace follows a packet to.
import type { Endpoint } from '../../model/director.ts';
import { parseEndpoint } from '../../model/endpoint.ts';
import { FairleadError } from '../../model/error.ts';

export interface Target {
  readonly protocol: 'tcp' | 'udp';
  readonly target: Endpoint;
}

/** `10.0.0.100:80/tcp` or `[2001:db8::100]:80/tcp`. */
export function parseTarget(text: string): Target {
  const [, endpoint = '', protocol = ''] = /^(.*)\/([^/]*)$/.exec(text) ?? [];
  if (protocol === 'tcp' || protocol === 'udp') return { protocol, target: parseEndpoint(endpoint) };
  throw new FairleadError('bad-input', `expected VIP:PORT/tcp or VIP:PORT/udp, got ${JSON.stringify(text)}`);
}

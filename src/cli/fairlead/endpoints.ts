// The addresses and ports of fairlead trace's arguments.
import { readAddress } from '../../model/address.ts';
import type { Endpoint } from '../../model/director.ts';
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

/** `10.0.0.1:40000` or `[2001:db8::1]:40000`. */
export function parseEndpoint(text: string): Endpoint {
  const [, six, four = '', digits = ''] = /^(?:\[([^\]]*)\]|([^:]*)):(\d+)$/.exec(text) ?? [];
  const address = readAddress(six ?? four);
  const port = Number(digits);
  if (address?.family === (six === undefined ? 4 : 6) && port >= 1 && port <= 65535) return { address, port };
  throw new FairleadError(
    'bad-input',
    `expected an address and a port from 1 to 65535, as in 10.0.0.1:40000 or [2001:db8::1]:40000, got ${JSON.stringify(text)}`,
  );
}

// An address with a port, as commands take it.
import { readAddress } from './address.ts';
import type { Endpoint } from './director.ts';
import { FairleadError } from './error.ts';

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

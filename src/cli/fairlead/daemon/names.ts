// How commands name services, durations and people.
import { userInfo } from 'node:os';
import { formatEndpoint } from '../../../model/address.ts';
import { parseEndpoint } from '../../../model/endpoint.ts';
import { FairleadError } from '../../../model/error.ts';
import { serviceKey } from '../../../model/table.ts';

/** `192.0.2.10:80/tcp`, or `mark/7` and `mark/7/ipv6`: as the key that the daemon knows it by. */
export function parseService(text: string): string {
  const [, mark, six] = /^mark\/(\d{1,10})(\/ipv6)?$/.exec(text) ?? [];
  if (mark !== undefined) {
    return serviceKey({ kind: 'mark', mark: Number(mark), family: six === undefined ? 4 : 6 });
  }
  const [, endpoint = '', protocol] = /^(.*)\/(tcp|udp|sctp)$/.exec(text) ?? [];
  if (protocol !== 'tcp' && protocol !== 'udp' && protocol !== 'sctp')
    throw new FairleadError(
      'bad-input',
      `expected VIP:PORT/tcp, /udp or /sctp, or mark/7, got ${JSON.stringify(text)}`,
    );
  const { address: vip, port } = parseEndpoint(endpoint);
  return serviceKey({ kind: 'address', protocol, vip, port });
}

/** `10.1.0.1:8080`, as the key that the daemon knows it by. Port 0 is a mark's: whichever the client asked for. */
export function parseRealServer(text: string): string {
  const [, anyPort] = /^(.*):0$/.exec(text) ?? [];
  const { address, port } = parseEndpoint(anyPort === undefined ? text : `${anyPort}:1`);
  return formatEndpoint(address, anyPort === undefined ? port : 0);
}

export function parseCount(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new FairleadError('bad-input', `expected a number from 1 to 999999, got ${JSON.stringify(text)}`);
}

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `30s`, `5m`, `1h`: milliseconds. */
export function parseDuration(text: string): number {
  const [, digits = '', unit = ''] = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text) ?? [];
  const factor = units[unit];
  if (factor !== undefined) return Number(digits) * factor;
  throw new FairleadError('bad-input', `expected a duration such as 30s, 5m or 1h, got ${JSON.stringify(text)}`);
}

export function parseWeight(text: string): number {
  const weight = Number(text);
  if (/^\d{1,10}$/.test(text) && weight <= 2147483647) return weight;
  throw new FairleadError('bad-input', `expected a weight from 0 to 2147483647, got ${JSON.stringify(text)}`);
}

/** The person, also behind sudo. */
export function whoAsks(): string {
  return process.env.SUDO_USER ?? userInfo().username;
}

// The addresses of a virtual_server_group: one, a range by its last number or its last address, or a whole prefix.
import { type Address, compareAddresses, formatAddress, readAddress } from '../../model/address.ts';

/** More are most likely a mistake, and as many services. */
const mostAddresses = 65536;

/** undefined: it is none. */
export function readAddressRange(text: string): readonly string[] | undefined {
  const one = readAddress(text);
  if (one !== undefined) return [formatAddress(one)];
  const [, start = '', kind, end = ''] = /^([^-/]+)([-/])(.+)$/.exec(text) ?? [];
  const first = readAddress(start);
  if (first === undefined) return undefined;
  if (kind === '/') return wholePrefix(first, end);
  const last = readAddress(end) ?? withLastPart(first, end);
  if (last === undefined || last.family !== first.family || compareAddresses(first, last) > 0) return undefined;
  return upTo(first, last);
}

/** The last number of IPv4 is decimal, the last group of IPv6 hexadecimal. */
function withLastPart(first: Address, text: string): Address | undefined {
  return readAddress(formatAddress(first).replace(first.family === 4 ? /\d+$/ : /[0-9a-f]*$/, text));
}

function wholePrefix(address: Address, digits: string): readonly string[] | undefined {
  const bits = address.bytes.length * 8;
  const length = Number(digits);
  if (!/^\d{1,3}$/.test(digits) || length > bits || length < bits - 16) return undefined;
  let last = address;
  const count = 2 ** (bits - length);
  for (let index = 1; index < count; index++) last = following(last);
  return upTo(address, last);
}

function upTo(first: Address, last: Address): readonly string[] | undefined {
  const all = [formatAddress(first)];
  for (let one = first; compareAddresses(one, last) < 0; ) {
    if (all.length >= mostAddresses) return undefined;
    one = following(one);
    all.push(formatAddress(one));
  }
  return all;
}

function following({ family, bytes }: Address): Address {
  const next = [...bytes];
  for (let at = next.length - 1; at >= 0; at--) {
    next[at] = ((next[at] ?? 0) + 1) & 255;
    if (next[at] !== 0) break;
  }
  return { family, bytes: next };
}

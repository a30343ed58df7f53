// VIPs on interfaces: which are there, putting them there, and taking them away.
import { interfaceAddresses } from '../kernel/addresses.ts';
import { changeByIp } from '../kernel/iproute.ts';
import type { HeldAddress } from '../model/declared.ts';
import { holdingText } from './difference.ts';

/** As holdingText writes them. */
export function readHeld(): ReadonlySet<string> {
  return new Set(
    interfaceAddresses().map(({ interface: name, bytes, prefixLength }) =>
      holdingText({ interface: name, prefixLength, address: { family: bytes.length === 4 ? 4 : 6, bytes } }),
    ),
  );
}

/** All of them or none. */
export function hold(addresses: readonly HeldAddress[]): void {
  const done: string[] = [];
  try {
    for (const held of addresses) {
      const text = holdingText(held);
      const { address, prefixLength } = held;
      // A VIP is no source of the director's own connections, and nobody else is asked whether he has it.
      const extra = address.family === 6 ? ['nodad', 'preferred_lft', '0'] : [];
      change('add', text, prefixLength === 128 ? extra : extra.slice(0, 1));
      done.push(text);
    }
  } catch (error) {
    release(done);
    throw error;
  }
}

export function release(texts: readonly string[]): void {
  for (const text of texts) change('del', text, []);
}

function change(action: 'add' | 'del', text: string, extra: readonly string[]): void {
  const [prefix = '', name = ''] = text.split(' ');
  changeByIp([['address', action, prefix, 'dev', name, ...extra].join(' ')]);
}

// The real servers' packets of connections that the table holds, in an order that no prefetcher knows.
import { controlOf } from '../../src/dataplane/control.ts';
import type { Maps } from '../../src/dataplane/maps.ts';
import type { Key } from './generator.ts';

/** Of `count` connections to this port of the VIP. */
export function replies(maps: Maps, port: number, count: number): readonly Key[] {
  const flows = maps.rows('flows');
  const [control, partner] = [flows.number('control'), flows.number('partner')];
  const [addresses, ports] = [flows.bigint('addresses'), flows.bigint('ports')];
  const live = maps.vocabulary.flowKinds.get('FLOW_LIVE');
  const { NO_PARTNER } = maps.vocabulary.numbers;
  const { kind } = controlOf(maps.vocabulary.numbers);
  const keys: Key[] = [];
  // By slot they are in the order of their hash, which is none of their addresses'.
  for (let slot = 0; slot < flows.length && keys.length < count; slot++) {
    const reply = partner.get(slot);
    if (kind(control.get(slot)) !== live || reply === NO_PARTNER || portOf(ports.get(slot)) !== port) continue;
    keys.push({ addresses: addresses.get(reply), ports: ports.get(reply) });
  }
  if (keys.length < count) throw new Error(`expected ${count} connections with replies, the table has ${keys.length}`);
  return keys;
}

/** The second one, as it is on the wire. */
function portOf(ports: bigint): number {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(ports);
  return bytes.readUInt16BE(2);
}

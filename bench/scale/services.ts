// Many services of one destination each, on as many VIPs and ports; the measured one among them.
import { parseAddress } from '../../src/model/address.ts';
import type { Service } from '../../src/model/service.ts';
import { service } from '../packet/scene.ts';

const ofVip = 50_000;
const firstPort = 1024;

export function manyServices(count: number): readonly Service[] {
  const measured = service({ family: 4, port: 80 });
  const others = Array.from({ length: count - 1 }, (_, index): Service => {
    const vip = parseAddress(`203.0.113.${1 + Math.floor(index / ofVip)}`);
    const port = firstPort + (index % ofVip);
    const destinations = measured.destinations.slice(0, 1).map((one) => ({ ...one, port }));
    return { ...measured, identity: { kind: 'address', protocol: 'tcp', vip, port }, destinations };
  });
  return [...others, measured];
}

// /etc/fairlead/realserver.yaml: the VIPs that a machine is a real server for, in the words of the command line.
import { z } from 'zod';
import { loadFile } from '../config/load.ts';
import { choice, integer, port, word } from '../config/schema/scalars.ts';
import { readDirector } from './director.ts';
import { arpModes, methods, type Wanted } from './plan.ts';
import { ipip, isSix, type TunnelEnd, tunnelTypes } from './tunnel.ts';
import { leastMtu, leastMtuSix, mostMtu, readVip } from './vip.ts';

export const defaultFile = '/etc/fairlead/realserver.yaml';

const tunnelOptions = ['tun-type', 'tun-port', 'mtu'] as const;

const entry = z
  .strictObject({
    vip: word('the address that clients ask', ['192.0.2.10', '2001:db8::10'], readVip),
    method: choice(methods),
    arp: choice(arpModes).optional(),
    'tun-type': choice(tunnelTypes).optional(),
    'tun-port': port.optional(),
    mtu: integer('the size of a packet', leastMtu, mostMtu).optional(),
    directors: z
      .array(word('the address or network of a director', ['10.0.0.1', '10.0.0.0/24'], readDirector))
      .optional(),
  })
  .superRefine((written, context) => {
    const refuse = (key: string, message: string): void =>
      context.addIssue({ code: 'custom', path: [key], message, input: written });
    const idle = tunnelOptions.find((key) => written[key] !== undefined);
    if (written.method !== 'tunnel' && idle !== undefined) refuse(idle, 'only method tunnel has this');
    if (written.method !== 'fullnat' && written.directors !== undefined)
      refuse('directors', 'only method fullnat has this');
    if (isSix(written.vip) && written.arp === 'arptables')
      refuse('arp', 'arptables is for IPv4: IPv6 has no ARP, and needs nothing in its place');
    const isGue = written['tun-type'] === 'gue';
    if (isGue && written['tun-port'] === undefined) refuse('tun-type', 'gue needs a tun-port');
    if (!isGue && written['tun-port'] !== undefined && written.method === 'tunnel')
      refuse('tun-port', 'only tun-type gue has a port');
    if (written.mtu !== undefined && isSix(written.vip) && written.mtu < leastMtuSix)
      refuse('mtu', `IPv6 needs packets of ${leastMtuSix} bytes`);
  });

const file = z.strictObject({ vips: z.array(entry) }).superRefine(({ vips }, context) => {
  const first = new Map<string, number>();
  for (const [index, one] of vips.entries()) {
    const known = vips[first.get(one.vip) ?? index];
    if (known === one) first.set(one.vip, index);
    else if (known?.method !== one.method || known.arp !== one.arp)
      context.addIssue({
        code: 'custom',
        path: ['vips', index, 'vip'],
        message: `${one.vip} is there before with another method or arp; only its tunnels may differ`,
        input: one,
      });
  }
});

/** Throws ConfigError, and bad-input when there is no such file. */
export function loadWanted(path: string): readonly Wanted[] {
  return loadFile(path, file).vips.map(({ vip, method, arp = 'ignore', mtu, directors = [], ...written }) => ({
    ...{ vip, method, arp, mtu, directors },
    tunnel: tunnelOf(written['tun-type'], written['tun-port']),
  }));
}

function tunnelOf(type: TunnelEnd['type'] = ipip.type, portOfGue = 0): TunnelEnd {
  return { type, port: portOfGue };
}

// What a method needs on a real server, and which of it is not so yet. Pure: everything it looks at is handed to it.
import type { Interface } from '../kernel/interfaces.ts';
import { FairleadError } from '../model/error.ts';
import type { Method } from '../model/service.ts';
import { type Change, type InterfaceRef, keyOf, type SettingChange } from './change.ts';
import type { System } from './system.ts';
import { ipip, isSix, type TunnelEnd } from './tunnel.ts';

/** The methods that a real server can be made for. */
export const methods = ['tunnel'] as const satisfies readonly Method[];
export type RealServerMethod = (typeof methods)[number];

/** Something that must be so: `change` makes it so, and is left out where it is so already. */
export interface Need {
  readonly key: string;
  readonly change: Change | undefined;
}

/** What the decapsulating program does at this moment. */
export interface Decapsulation {
  takes(vip: string, tunnel: TunnelEnd): boolean;
  isOn(index: number): boolean;
}

type Rule = (vip: string, system: System, decapsulation: Decapsulation, tunnel: TunnelEnd) => readonly Need[];

/** In the order in which they are met: nobody may ask for the VIP's MAC before the machine keeps silent about it. */
const rules: Readonly<Record<RealServerMethod, readonly Rule[]>> = {
  tunnel: [silenceArp, loosenReversePath, holdVip, decapsulate],
};

/** Throws where the method can't work, or would harm. */
export function plan(
  vip: string,
  method: RealServerMethod,
  system: System,
  decapsulation: Decapsulation,
  tunnel: TunnelEnd = ipip,
): readonly Need[] {
  return rules[method].flatMap((rule) => rule(vip, system, decapsulation, tunnel));
}

/** Ethernet frames come in by it, and by no other of these: a port's packets are its bridge's or bond's. */
export function takesPackets({ linkType, master }: Interface, all: readonly Interface[]): boolean {
  const kind = all.find(({ index }) => index === master)?.kind ?? '';
  return linkType === 'ether' && !['bridge', 'bond', 'team'].includes(kind);
}

/** net/ipv4/arp.c, arp_ignore(): the values with which lo's own addresses of scope host are never answered for. */
const silent: readonly number[] = [1, 2, 3, 8];

/**
 * Of both settings the larger of an interface's own value and that of `all` counts. IPv6 answers only for addresses of the
 * interface that was asked.
 */
function silenceArp(vip: string, system: System): readonly Need[] {
  if (isSix(vip)) return [];
  const ignore = toSetting('all', 'arp_ignore', '1', system);
  const announce = toSetting('all', 'arp_announce', '2', system);
  const isSilent = silent.includes(Number(ignore.before));
  const common = Number(isSilent ? ignore.before : ignore.after);
  const others = system.interfaces.filter(({ linkType }) => linkType !== 'loopback');
  return [
    met(ignore, isSilent),
    ...others.map((one) => {
      const own = toSetting(one, 'arp_ignore', '1', system);
      return met(own, silent.includes(Math.max(common, Number(own.before))));
    }),
    met(announce, Number(announce.before) >= 2),
  ];
}

/**
 * A decapsulated packet is the client's own, come in by the tunnel's interface. Where replies to clients leave by another
 * one, strict reverse path filtering (1) drops it; loose (2), being the larger, counts over a 1 of `all`. IPv6 has none.
 */
function loosenReversePath(vip: string, system: System): readonly Need[] {
  if (isSix(vip) || system.waysOut.length === 0) return [];
  const all = system.setting('all', 'rp_filter');
  return system.interfaces
    .filter((one) => takesPackets(one, system.interfaces) && !system.waysOut.includes(one.name))
    .filter(({ name }) => system.addresses.some((address) => address.interface === name))
    .map((one) => {
      const own = toSetting(one, 'rp_filter', '2', system);
      const isStrict = Math.max(Number(all), Number(own.before)) === 1;
      return met(own, !isStrict);
    });
}

function holdVip(vip: string, system: System): readonly Need[] {
  const holders = system.addresses.filter(({ address }) => address === vip);
  const answering = holders.find(({ answersArp }) => answersArp);
  if (answering !== undefined) {
    throw new FairleadError(
      'address-unusable',
      `${answering.interface} has ${vip} and answers ${isSix(vip) ? 'neighbours' : 'ARP'} for it`,
      {
        hint: `a real server must not, or clients bypass the director: ip addr del ${vip} dev ${answering.interface}`,
      },
    );
  }
  return [met({ kind: 'address', vip }, holders.length > 0)];
}

function decapsulate(vip: string, system: System, decapsulation: Decapsulation, tunnel: TunnelEnd): readonly Need[] {
  const chosen = system.interfaces.filter((one) => takesPackets(one, system.interfaces));
  if (chosen.length === 0) {
    throw new FairleadError(
      'interface-missing',
      'this network namespace has no Ethernet interface to take packets from',
    );
  }
  return [
    ...chosen.flatMap((one) => [
      met({ kind: 'qdisc', interface: refer(one) }, system.clsact.includes(one.name)),
      met({ kind: 'filter', interface: refer(one) }, decapsulation.isOn(one.index)),
    ]),
    met({ kind: 'decapsulation', vip, tunnel }, decapsulation.takes(vip, tunnel)),
  ];
}

function met(change: Change, isSo: boolean): Need {
  return { key: keyOf(change), change: isSo ? undefined : change };
}

function toSetting(where: Interface | 'all', name: string, after: string, system: System): SettingChange {
  const isAll = where === 'all';
  const before = system.setting(isAll ? 'all' : where.name, name);
  return { kind: 'setting', interface: isAll ? 'all' : refer(where), name, before, after };
}

function refer({ index, name }: Interface): InterfaceRef {
  return { index, name };
}

// What a method needs on a real server, and which of it is not so yet. Pure: everything it looks at is handed to it.
import type { Interface } from '../kernel/interfaces.ts';
import type { TcPoint } from '../kernel/tc.ts';
import { FairleadError } from '../model/error.ts';
import type { Method } from '../model/service.ts';
import { type ArpChain, arpRuleKey } from './arptables.ts';
import { type Change, type InterfaceRef, keyOf, type SettingChange } from './change.ts';
import { refuseHarm } from './harm.ts';
import type { System } from './system.ts';
import { isSix, type TunnelEnd } from './tunnel.ts';

/** The methods that a real server can be made for. */
export const methods = ['gate', 'tunnel', 'fullnat'] as const satisfies readonly Method[];
export type RealServerMethod = (typeof methods)[number];

/** By settings, which hold for all addresses, or by rules about the VIP alone. */
export const arpModes = ['ignore', 'arptables'] as const;
export type ArpMode = (typeof arpModes)[number];

export interface Wanted {
  readonly vip: string;
  readonly method: RealServerMethod;
  readonly arp: ArpMode;
  /** Of method `tunnel`. */
  readonly tunnel: TunnelEnd;
  /** What comes whole from the directors, where that is less than the interfaces take. */
  readonly mtu: number | undefined;
  /** Of method `fullnat`: who is believed who clients are, as readDirector() spells it. */
  readonly directors: readonly string[];
}

/** Something that must be so: `change` makes it so, and is left out where it is so already. */
export interface Need {
  readonly key: string;
  readonly change: Change | undefined;
}

/** What the decapsulating program does at this moment. */
export interface Decapsulation {
  takes(vip: string, tunnel: TunnelEnd): boolean;
  isOn(index: number, point: TcPoint): boolean;
  pathMtu(vip: string): number | undefined;
}

/** Of a machine on which no program of ours is loaded. */
export const noDecapsulation: Decapsulation = { takes: () => false, isOn: () => false, pathMtu: () => undefined };

/** What the programs that tell servers their clients do at this moment. */
export interface Telling {
  readonly isInstalled: boolean;
  believes(director: string): boolean;
  isOn(index: number): boolean;
}

export const noTelling: Telling = { isInstalled: false, believes: () => false, isOn: () => false };

type Rule = (wanted: Wanted, system: System, decapsulation: Decapsulation, telling: Telling) => readonly Need[];

/** In the order in which they are met: nobody may ask for the VIP's MAC before the machine keeps silent about it. */
const rules: Readonly<Record<RealServerMethod, readonly Rule[]>> = {
  gate: [silenceArp, loosenReversePath, holdVip],
  tunnel: [silenceArp, loosenReversePath, holdVip, decapsulate],
  // Its packets are for the RIP, and come from the director.
  fullnat: [tellClients],
};

/** Throws where the method can't work, or would harm. */
export function plan(
  wanted: Wanted,
  system: System,
  decapsulation: Decapsulation,
  telling: Telling = noTelling,
): readonly Need[] {
  if (wanted.method !== 'fullnat') refuseHarm(wanted.vip, system);
  return rules[wanted.method].flatMap((rule) => rule(wanted, system, decapsulation, telling));
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
function silenceArp({ vip, arp }: Wanted, system: System): readonly Need[] {
  if (isSix(vip)) return [];
  if (arp === 'arptables') return filterArp(vip, system);
  const ignore = toSetting('all', 'arp_ignore', '1', system);
  const announce = toSetting('all', 'arp_announce', '2', system);
  const isSilent = silent.includes(Number(ignore.before));
  const common = Number(isSilent ? ignore.before : ignore.after);
  const others = system.interfaces.filter(({ linkType }) => linkType !== 'loopback');
  if (!isSilent) refuseToSilenceSession(system);
  return [
    met(ignore, isSilent),
    ...others.map((one) => {
      const own = toSetting(one, 'arp_ignore', '1', system);
      return met(own, silent.includes(Math.max(common, Number(own.before))));
    }),
    met(announce, Number(announce.before) >= 2),
  ];
}

/** With arp_ignore an address is told only where it is itself. */
function refuseToSilenceSession({ session, addresses }: System): void {
  const holder = addresses.find(({ address }) => address === session?.server);
  if (session === undefined || holder === undefined || isSix(session.server) || holder.answersArp) return;
  throw new FairleadError(
    'address-unusable',
    `this session comes by ${session.server}, which is on ${holder.interface}: with arp_ignore nobody is told where that is`,
    { hint: 'use --arp arptables, which silences the VIP alone' },
  );
}

/** Nobody is told who has the VIP; and who asks others tells an address of the interface instead. */
function filterArp(vip: string, system: System): readonly Need[] {
  const present = system.arpRules();
  const rule = (chain: ArpChain, ...words: readonly string[]): Need =>
    met({ kind: 'arp-rule', chain, rule: words }, present.includes(arpRuleKey(chain, words)));
  const chain = (name: ArpChain): Need => met({ kind: 'arp-chain', chain: name }, system.hasArpChain(name));
  const speaking = system.interfaces.flatMap(({ name, linkType }) => {
    const own = system.addresses.find((one) => one.interface === name && one.isGlobal && !isSix(one.address));
    return linkType === 'ether' && own !== undefined ? [{ name, address: own.address }] : [];
  });
  return [
    met({ kind: 'arp-table' }, system.hasArpTable()),
    chain('INPUT'),
    ...(speaking.length === 0 ? [] : [chain('OUTPUT')]),
    rule('INPUT', '-d', vip, '-j', 'DROP'),
    ...speaking.map(({ name, address }) =>
      rule('OUTPUT', '-o', name, '-s', vip, '-j', 'mangle', '--mangle-ip-s', address),
    ),
  ];
}

/**
 * What the director has sent, out of its tunnel if there was one, is the client's own packet. Where replies to clients leave by another
 * one, strict reverse path filtering (1) drops it; loose (2), being the larger, counts over a 1 of `all`. IPv6 has none.
 */
function loosenReversePath({ vip }: Wanted, system: System): readonly Need[] {
  if (isSix(vip)) return [];
  // Whoever has made rules for the VIP alone has packets for it come where its answers go.
  const waysOut = [...system.waysOut, system.wayFrom(vip) ?? []].flat();
  if (waysOut.length === 0) return [];
  const all = system.setting('all', 'rp_filter');
  return system.interfaces
    .filter((one) => takesPackets(one, system.interfaces) && !waysOut.includes(one.name))
    .filter(({ name }) => system.addresses.some((address) => address.interface === name))
    .map((one) => {
      const own = toSetting(one, 'rp_filter', '2', system);
      const isStrict = Math.max(Number(all), Number(own.before)) === 1;
      return met(own, !isStrict);
    });
}

function holdVip({ vip }: Wanted, system: System): readonly Need[] {
  return [
    met(
      { kind: 'address', vip },
      system.addresses.some(({ address }) => address === vip),
    ),
  ];
}

function decapsulate({ vip, tunnel, mtu }: Wanted, system: System, decapsulation: Decapsulation): readonly Need[] {
  return [
    ...takers(system).flatMap((one) => [
      met({ kind: 'qdisc', interface: refer(one) }, system.clsact.includes(one.name)),
      ...(['ingress', 'egress'] as const).map((point) =>
        met({ kind: 'filter', interface: refer(one), point }, decapsulation.isOn(one.index, point)),
      ),
    ]),
    ...(mtu === undefined ? [] : [met({ kind: 'path-mtu', vip, mtu }, decapsulation.pathMtu(vip) === mtu)]),
    met({ kind: 'decapsulation', vip, tunnel }, decapsulation.takes(vip, tunnel)),
  ];
}

/** Where nobody is believed nothing is told, and nothing needed. */
function tellClients({ directors }: Wanted, system: System, _: Decapsulation, telling: Telling): readonly Need[] {
  if (directors.length === 0) return [];
  return [
    met({ kind: 'clients' }, telling.isInstalled),
    ...directors.map((director) => met({ kind: 'director', director }, telling.believes(director))),
    ...takers(system).flatMap((one) => [
      met({ kind: 'qdisc', interface: refer(one) }, system.clsact.includes(one.name)),
      met({ kind: 'learner', interface: refer(one) }, telling.isOn(one.index)),
    ]),
  ];
}

/** The interfaces that packets are taken from. */
function takers({ interfaces }: System): readonly Interface[] {
  const chosen = interfaces.filter((one) => takesPackets(one, interfaces));
  if (chosen.length > 0) return chosen;
  throw new FairleadError('interface-missing', 'this network namespace has no Ethernet interface to take packets from');
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

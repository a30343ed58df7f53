// What all rules look at: this network namespace as it is, read once, and what probes have found out.
import { existsSync, readFileSync } from 'node:fs';
import { type DataplaneDirector, openDirector } from '../dataplane/director.ts';
import type { Status } from '../dataplane/status.ts';
import type { Wire } from '../kernel/wire.ts';
import { type Address, formatAddress } from '../model/address.ts';
import type { Connection, InstalledDestination, InstalledService, Timeouts } from '../model/director.ts';
import type { MarkRules } from '../model/mark.ts';
import { type RecordedVip, readJournal } from '../realserver/journal.ts';
import { readSystem, type System } from '../realserver/system.ts';
import { findClients } from './known-clients.ts';
import { type Network, readNetwork } from './network.ts';
import { readOwnClients } from './own-clients.ts';
import { examineDestinations, type Finding } from './probe.ts';
import { findTaken, type Taken } from './taken.ts';

export interface Ward {
  readonly system: System;
  readonly network: Network;
  /** undefined: no director is here. */
  readonly director: DirectorFacts | undefined;
  /** VIPs that this machine was made a real server for. */
  readonly vips: readonly RecordedVip[];
  /** By VIP of this machine's, clients that were answered here. */
  readonly ownClients: ReadonlyMap<string, readonly string[]>;
  readonly asked: Asked;
  /** Addresses of its own that another machine has too: what is asked by them may be answered there. */
  readonly taken: readonly Taken[];
  readonly wire: Wire;
}

/** What somebody asks about: it is looked at too. */
export interface Asked {
  /** Whose packets. */
  readonly clients: readonly string[];
  /** On a real server, of the VIP: clients are to reach them. */
  readonly ports: readonly number[];
}

export interface DirectorFacts {
  readonly status: Status;
  readonly services: readonly InstalledService[];
  /** Of the services: each once, also those by whose address a rule gives packets a service's mark. */
  readonly vips: readonly string[];
  readonly connections: readonly Connection[];
  /** Some of each real server's. */
  readonly clients: ReadonlyMap<string, readonly Address[]>;
  readonly timeouts: Timeouts;
  /** What probes to each destination of TCP or UDP came to. Where an interface is down, only of those that are on a link. */
  readonly findings: readonly Finding[];
}

export async function openWard(wire: Wire, asked: Asked): Promise<Ward> {
  const system = readSystem();
  const network = readNetwork(system);
  const { vips } = readJournal();
  const ownClients = readOwnClients(vips.map(({ vip }) => vip));
  using director = openDirector({ create: false });
  const services = director?.services() ?? [];
  const directed = vipsOf(services, director?.markRules() ?? []);
  const shared = [...directed, ...vips.map(({ vip }) => vip)];
  const [facts, taken] = await Promise.all([
    director && readDirector(director, { services, vips: directed }, network, system, wire),
    services.length + vips.length === 0 ? [] : findTaken(system, shared, wire),
  ]);
  const seen = { system, network, director: facts && without(taken, facts) };
  return { ...seen, vips, ownClients, asked, taken, wire };
}

/** What came of probes whose answers another machine has got says nothing of real servers. */
function without(taken: readonly Taken[], facts: DirectorFacts): DirectorFacts {
  const lost = new Set(taken.map(({ address }) => address));
  return { ...facts, findings: facts.findings.filter(({ way }) => way === undefined || !lost.has(way.source)) };
}

async function readDirector(
  director: DataplaneDirector,
  { services, vips }: Pick<DirectorFacts, 'services' | 'vips'>,
  network: Network,
  system: System,
  wire: Wire,
): Promise<DirectorFacts | undefined> {
  const status = director.status();
  if (status === undefined) return undefined;
  const findings = await examineDestinations(services, network, system, wire);
  const connections = [...director.connections()];
  const own = new Set(system.addresses.map(({ address }) => address));
  const isOnLink = ({ way }: Finding): boolean => way !== undefined && way.gateway === undefined;
  return {
    status,
    services,
    vips,
    connections,
    clients: findClients(connections, own),
    timeouts: director.timeouts(),
    findings: downInterfaces(system).length === 0 ? findings : findings.filter(isOnLink),
  };
}

/** Those that are meant to be used: somebody gave them addresses. */
export function downInterfaces({ interfaces, addresses }: System): readonly string[] {
  return interfaces
    .filter(({ linkType, isUp }) => linkType === 'ether' && !isUp)
    .map(({ name }) => name)
    .filter((name) => addresses.some((one) => one.interface === name && one.isGlobal));
}

/** `-t 192.0.2.10:80`, as ipvsadm takes it. */
export function serviceOption({ identity }: Pick<InstalledService, 'identity'>): string {
  if (identity.kind === 'mark') return `-f ${identity.mark}${identity.family === 6 ? ' -6' : ''}`;
  const option = { tcp: '-t', udp: '-u', sctp: '--sctp-service' }[identity.protocol];
  return `${option} ${endpointOption(identity.vip, identity.port)}`;
}

const methodOptions = { masq: '-m', gate: '-g', tunnel: '-i', fullnat: '--fullnat' } as const;
const checksumOptions = { none: '--tun-nocsum', full: '--tun-csum', remote: '--tun-remcsum' } as const;

/** The command that gives it another weight, and leaves the rest as it is: what `ipvsadm -e` is not told it sets back. */
export function weightCommand(
  service: Pick<InstalledService, 'identity'>,
  destination: InstalledDestination,
  weight: number,
): string {
  return `ipvsadm -e ${serviceOption(service)} ${destinationOption(destination)} ${methodWords({ ...destination, weight })}`;
}

/** How a destination is told to ipvsadm, but for its address. */
export function methodWords(destination: Omit<InstalledDestination, 'rip' | 'port'>): string {
  const { method, tunnel, weight, upperThreshold = 0, lowerThreshold = 0 } = destination;
  const words = [
    methodOptions[method],
    ...(tunnel === undefined || method !== 'tunnel'
      ? []
      : [`--tun-type ${tunnel.type} ${checksumOptions[tunnel.checksum]}`]),
    ...(method === 'tunnel' && tunnel?.type === 'gue' ? [`--tun-port ${tunnel.port}`] : []),
    ...(upperThreshold === 0 ? [] : [`-x ${upperThreshold}`]),
    ...(lowerThreshold === 0 ? [] : [`-y ${lowerThreshold}`]),
    `-w ${weight}`,
  ];
  return words.join(' ');
}

export function destinationOption({ rip, port }: Pick<InstalledDestination, 'rip' | 'port'>): string {
  return `-r ${endpointOption(rip, port)}`;
}

function vipsOf(services: readonly InstalledService[], rules: MarkRules): readonly string[] {
  const known = services.flatMap(({ identity }) => (identity.kind === 'address' ? [formatAddress(identity.vip)] : []));
  const marks = new Set(services.flatMap(({ identity }) => (identity.kind === 'mark' ? [identity.mark] : [])));
  const marked = rules.flatMap(({ set, target }) => {
    if (set === undefined || target === undefined || target.isNot || !marks.has(set.value)) return [];
    return target.mask.bytes.every((byte) => byte === 255) ? [formatAddress(target.address)] : [];
  });
  return [...new Set([...known, ...marked])];
}

function endpointOption(address: InstalledDestination['rip'], port: number): string {
  const text = formatAddress(address);
  return `${address.family === 6 ? `[${text}]` : text}:${port}`;
}

/** For a command's place that nobody here can fill: a shell refuses it, and says why, until ROUTER is set. bash takes no apostrophe there. */
// biome-ignore lint/suspicious/noTemplateCurlyInString: it is the shell's
export const unknownRouter = '"${ROUTER:?set it to the address of a router of that network}"';

/** Likewise. */
// biome-ignore lint/suspicious/noTemplateCurlyInString: it is the shell's
export const unknownAddress = '"${ADDRESS:?set it to the address that this machine had, with the bits of its prefix}"';

/** Has somebody taken IPv6 from this interface? */
export function isSwitchedOff(interfaceName: string): boolean {
  const path = `/proc/sys/net/ipv6/conf/${interfaceName}/disable_ipv6`;
  return existsSync(path) && readFileSync(path, 'utf8').trim() === '1';
}

/** The command for routes of the address's family. */
export function ipOf(address: string): string {
  return address.includes(':') ? 'ip -6' : 'ip';
}

/** By what somebody is asked for the MAC of an address. */
export function question(address: string): string {
  return address.includes(':') ? 'neighbour discovery' : 'ARP';
}

/** The command, whichever interface has it; one may keep it. */
export function removeAddress(vip: string, except?: string): string {
  const condition = except === undefined ? '' : `[ $dev = ${except} ] || `;
  return `ip -o address show to ${vip} | while read -r _ dev _ cidr _; do ${condition}ip address del $cidr dev $dev; done`;
}

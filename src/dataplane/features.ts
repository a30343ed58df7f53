// Which programs a configuration needs. The others are not loaded: the verifier's look at each is most of what loading takes.
import { readdirSync } from 'node:fs';
import type { Service, Table } from '../model/service.ts';
import { mayHaveFtp, usesSix } from './lookups.ts';

/** What only some configurations use. */
export const features = [
  'six',
  'xdp',
  'one-packet',
  'wrapping',
  'crossing',
  'tunnels',
  'related-opening',
  'ftp',
  'calls',
  'telling',
  'telling-datagrams',
  'trace',
] as const;
export type Feature = (typeof features)[number];

/** By what a program's name holds. One that nothing names is always needed; one of several features only where all are used. */
const patterns: readonly (readonly [RegExp, Feature])[] = [
  [/_six$/, 'six'],
  [/^director_(xdp|walk|one_packet|wrap|cross|tell|tell_datagram)(_six)?$/, 'xdp'],
  [/_one_packet/, 'one-packet'],
  [/_wrap/, 'wrapping'],
  [/_cross/, 'crossing'],
  [/_unwrap/, 'tunnels'],
  [/_open_related/, 'related-opening'],
  [/_ftp/, 'ftp'],
  [/_outbound/, 'calls'],
  [/_tell(?!_datagram)/, 'telling'],
  [/_tell_datagram/, 'telling-datagrams'],
  [/_trace/, 'trace'],
];

/**
 * The program that is there just where the feature is. Other builds look for it by this name, those that are upgraded from and those that
 * somebody goes back to: it stays.
 */
const witnesses: Readonly<Record<Feature, string>> = {
  six: 'director_tc_six',
  xdp: 'director_xdp',
  'one-packet': 'director_one_packet_tc',
  wrapping: 'director_wrap_tc',
  crossing: 'director_cross_tc',
  tunnels: 'director_unwrap',
  'related-opening': 'director_open_related',
  ftp: 'director_ftp',
  calls: 'director_outbound',
  telling: 'director_tell_tc',
  'telling-datagrams': 'director_tell_datagram_tc',
  trace: 'director_trace',
};

/** The same programs, in the order in which they are to be pinned: a feature counts as loaded once all of its own are. */
export function witnessesLast(names: readonly string[]): readonly string[] {
  const last = new Set(Object.values(witnesses));
  return [...names.filter((name) => !last.has(name)), ...names.filter((name) => last.has(name))];
}

/** What a program is for, beside what all need. */
export function featuresOfProgram(name: string): readonly Feature[] {
  return patterns.filter(([pattern]) => pattern.test(name)).map(([, feature]) => feature);
}

/** Of `names` those that these features need. */
export function programsFor(used: ReadonlySet<Feature>, names: readonly string[]): readonly string[] {
  return names.filter((name) => featuresOfProgram(name).every((feature) => used.has(feature)));
}

/** Those that programs are pinned for. */
export function loadedFeatures(directory: string): ReadonlySet<Feature> {
  const pinned = new Set(readdirSync(directory));
  return new Set(features.filter((feature) => pinned.has(witnesses[feature])));
}

export function featuresOfTable({ services }: Table): ReadonlySet<Feature> {
  return new Set(services.flatMap(featuresOfService));
}

function featuresOfService(service: Service): readonly Feature[] {
  const { identity, onePacket, persistenceEngine, uoa, destinations } = service;
  const family = identity.kind === 'mark' ? identity.family : identity.vip.family;
  const found: Feature[] = onePacket ? ['one-packet'] : [];
  if (usesSix(service)) found.push('six');
  if (mayHaveFtp(service)) found.push('ftp');
  if (persistenceEngine !== undefined) found.push('calls');
  for (const { rip, method, tunnel } of destinations) {
    if (method === 'fullnat') found.push(rip.family === family ? 'telling' : 'crossing');
    if (method === 'fullnat' && rip.family === family && uoa !== undefined) found.push('telling-datagrams');
    if (method !== 'tunnel') continue;
    found.push('tunnels');
    if (rip.family !== family || (tunnel !== undefined && tunnel.type !== 'ipip')) found.push('wrapping');
  }
  return found;
}

// The end-to-end group: what a client gets through each director, and what CPU time that takes of everybody.
import { execFileSync } from 'node:child_process';
import {
  findRow,
  type Group,
  type GroupOptions,
  type GroupReport,
  type Limit,
  medianFigure,
  type Row,
} from '../row.ts';
import { type Contender, contenders, offload, setUp, tearDown } from './contenders.ts';
import { askAlways, sendAlways } from './load.ts';
import { type Network, openNetwork } from './network.ts';
import { openPeers } from './peers.ts';

/** By measure: its unit, and which of them belong to connections that are new. */
const measures = {
  'new connections': '1/s',
  'median latency of a new connection': 'us',
  '99th percentile of a new connection': 'us',
  'CPU a new connection': 'us CPU',
  'added CPU a new connection': 'us CPU added',
  requests: '1/s',
  'median latency of a request': 'us',
  '99th percentile of a request': 'us',
  'CPU a request': 'us CPU',
  'added CPU a request': 'us CPU added',
  'one TCP flow': 'Gbit/s',
  'one UDP flow': 'Gbit/s',
} as const;
type Measure = keyof typeof measures;
type Round = Partial<Record<Measure, number>>;

interface Effort {
  readonly rounds: number;
  readonly seconds: number;
  readonly who: readonly Contender[];
}

export const endToEnd: Group = {
  name: 'end-to-end',
  title: 'What 32 connections that always ask get, and one flow, through each director',
  async measure(options): Promise<GroupReport> {
    const peers = openPeers();
    await using network = await openNetwork();
    try {
      await setUp(network, peers);
      const rows = await measureRounds(network, effortOf(options), options.say);
      return { group: 'end-to-end', rows, limits: limitsOf(rows), peers: { ...peers.versions, ...installedPeers() } };
    } finally {
      await tearDown(network);
    }
  },
};

function effortOf({ isQuick }: GroupOptions): Effort {
  const all = contenders();
  return isQuick ? { rounds: 1, seconds: 1, who: all } : { rounds: 5, seconds: 1, who: all };
}

/** In turn: a slow while of the machine is in all of them. */
async function measureRounds(
  network: Network,
  { rounds, seconds, who }: Effort,
  say: (text: string) => void,
): Promise<readonly Row[]> {
  const found = new Map<string, Round[]>(who.map(({ name }) => [name, []]));
  for (let round = 1; round <= rounds; round++) {
    say(`round ${round} of ${rounds}`);
    let base: Round | undefined;
    for (const contender of who) {
      const raw = await measureOne(network, contender, seconds);
      if (contender.name === 'bare redirect') base = raw;
      found.get(contender.name)?.push({ ...raw, ...(base === undefined ? {} : added(raw, base)) });
    }
    await offload(network, true);
  }
  const rows = (Object.keys(measures) as Measure[]).flatMap((measure) =>
    who.flatMap(({ name }) => toRow(name, measure, found.get(name) ?? [])),
  );
  return rows.map((row) => besideRouting(row, rows));
}

async function measureOne(network: Network, { target, hook, hasUdp }: Contender, seconds: number): Promise<Round> {
  if (hook === 'xdp') await offload(network, false);
  const created = await askAlways(network, target, { seconds, isClosing: true });
  const asked = await askAlways(network, target, { seconds, isClosing: false });
  const one = Math.max(1, seconds / 2);
  return {
    'new connections': created.perSecond,
    'median latency of a new connection': created.p50Us,
    '99th percentile of a new connection': created.p99Us,
    'CPU a new connection': created.cpuUs,
    requests: asked.perSecond,
    'median latency of a request': asked.p50Us,
    '99th percentile of a request': asked.p99Us,
    'CPU a request': asked.cpuUs,
    'one TCP flow': await sendAlways(network.client, target, { seconds: one, protocol: 'tcp' }),
    ...(hasUdp ? { 'one UDP flow': await sendAlways(network.client, target, { seconds: one, protocol: 'udp' }) } : {}),
  };
}

/** To what the same takes on the same way, with somebody in the director's place who does no more than pass frames on. */
function added(raw: Round, base: Round): Round {
  const over = (measure: Measure): number => (raw[measure] ?? 0) - (base[measure] ?? 0);
  return {
    'added CPU a new connection': over('CPU a new connection'),
    'added CPU a request': over('CPU a request'),
  };
}

function toRow(name: string, measure: Measure, rounds: readonly Round[]): readonly Row[] {
  const samples = rounds.map((round) => round[measure]).filter((sample) => sample !== undefined);
  if (samples.length === 0) return [];
  return [{ name: `${name}, ${measure}`, unit: measures[measure], ...medianFigure(samples) }];
}

function besideRouting(row: Row, all: readonly Row[]): Row {
  const measure = row.name.slice(row.name.lastIndexOf(', ') + 2);
  const routing = all.find(({ name }) => name === `plain routing, ${measure}`);
  if (routing === undefined || routing === row) return row;
  return { ...row, ratio: { to: routing.name, is: row.median / routing.median } };
}

function limitsOf(rows: readonly Row[]): readonly Limit[] {
  const median = (name: string, measure: Measure): number => findRow(rows, `${name}, ${measure}`)?.median ?? Number.NaN;
  const cpu = 'added CPU a new connection';
  const fairleads = rows
    .filter(({ name }) => /^Fairlead .* TC, one TCP flow$/.test(name))
    .map(({ name }) => name.slice(0, name.lastIndexOf(', ')));
  return fairleads.flatMap((name) => [
    {
      claim: `${name}: ${cpu}, to nftables DNAT's`,
      atMost: 1 / 5,
      got: median(name, cpu) / median('nftables DNAT', cpu),
    },
    { claim: `${name}: ${cpu}, to HAProxy's`, atMost: 1 / 40, got: median(name, cpu) / median('HAProxy', cpu) },
    {
      claim: `${name}: one TCP flow, to plain routing's`,
      atLeast: 0.95,
      got: median(name, 'one TCP flow') / median('plain routing', 'one TCP flow'),
    },
  ]);
}

function installedPeers(): Readonly<Record<string, string>> {
  const version = (name: string): string =>
    // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own notation
    execFileSync('dpkg-query', ['-W', '-f', '${Version}', name], { encoding: 'utf8' });
  return { nftables: version('nftables'), wrk: version('wrk'), iperf3: version('iperf3') };
}

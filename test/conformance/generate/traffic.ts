// Random services under traffic: connections that stay and that end, real servers that come, go, change their weight and are
// full, services that are deleted and made anew.

import type { Random } from '../../random.ts';
import {
  addServer,
  createSite,
  deleteServer,
  deleteSite,
  editServer,
  editSite,
  makeSite,
  nameOf,
  prepareSite,
  realServers,
  type Site,
  vipOf,
} from './sites.ts';

const STEPS = 22;
/** Connections that were only begun end after a minute, and one side may be slow. */
const BEGUN_LATE = STEPS - 6;

const clients = {
  4: ['10.0.0.1', '10.0.0.5', '172.16.3.9'],
  6: ['fd00:a::1', 'fd00:a::5', 'fd00:a::9'],
} as const;

interface Traffic {
  readonly random: Random;
  readonly sites: readonly Site[];
  /** Client ports are used once: a masqueraded real server can't tell two connections of one apart. */
  nextPort: number;
}

export function traffic(random: Random): string {
  const sites = Array.from({ length: 1 + random.below(2) }, (_, index) => makeSite(random, 80 + index));
  const state: Traffic = { random, sites, nextPort: 20000 };
  const lines = ['# Random services under traffic.'];
  // The table is never empty, of neither family: see empty-table.sh.
  lines.push("ipvs '-A -t 10.0.0.101:99 -s rr'", "ipvs '-A -t [fd00:a::100]:99 -s rr'");
  for (const site of sites) lines.push(...prepareSite(site));
  for (const site of sites) lines.push(createSite(random, site), ...install(random, site));
  for (let step = 0; step < STEPS; step++) lines.push(...stepOf(state, random.pick(sites), step));
  // Last, because what a reset ends is gone after ten seconds.
  lines.push('list', 'connections', `reset ${random.pick(['0-3', '2-5 server'])}`, 'connections', 'list');
  lines.push("ipvs '-Ln --persistent-conn'", "ipvs '-Ln --thresholds'", 'settle', "ipvs '-Ln --stats --exact'");
  return `${lines.join('\n')}\n`;
}

function install(random: Random, site: Site): string[] {
  return realServers.filter(() => !random.once(4)).map((number) => addServer(random, site, number));
}

function stepOf(state: Traffic, site: Site, step: number): string[] {
  const { random } = state;
  const kind = random.below(100);
  if (kind < 44) return [open(state, site, step)];
  if (kind < 53) return [`close ${range(random)}${random.maybe(3, () => ' server')}`];
  if (kind < 60) return [`talk ${range(random)}`];
  if (kind < 65) return ['list'];
  if (kind < 67) return ['connections'];
  if (kind < 70) return [editSite(random, site)];
  if (kind < 72) return [`ipvs '-Ln ${nameOf(site)}'`];
  if (kind < 74) return ['settle', `ipvs '-Z${random.maybe(2, () => ` ${nameOf(site)}`)}'`, "ipvs '-Ln --stats'"];
  if (kind < 77) return remake(random, site);
  if (kind < 79) return [setting(random)];
  return changeServer(random, site);
}

/**
 * Connections of before belong to the new one's real servers again, with what they count. What real servers count anew that come back is
 * counted from IPVS's last look before they went: it looks every two seconds.
 */
function remake(random: Random, site: Site): string[] {
  const between = random.pick([[], ['connections'], ['talk 0-3']]);
  return ['settle', deleteSite(site), ...between, createSite(random, site), ...install(random, site), 'list'];
}

function changeServer(random: Random, site: Site): string[] {
  const number = random.pick(realServers);
  if (!site.present.has(number)) return [addServer(random, site, number)];
  if (!random.once(3)) return [editServer(random, site, number)];
  const isBack = random.once(2);
  const between = random.pick([[], ['talk 0-3'], ['list']]);
  return [
    'settle',
    deleteServer(site, number),
    ...between,
    ...(isBack ? [addServer(random, site, number), 'list'] : []),
  ];
}

function setting(random: Random): string {
  const name = random.pick(['expire_quiescent_template', 'conn_reuse_mode', 'sloppy_tcp', 'sloppy_sctp']);
  return `setting ${name} ${random.below(2)}`;
}

function open(state: Traffic, site: Site, step: number): string {
  const { random } = state;
  const count = 1 + random.below(14);
  const from = state.nextPort;
  state.nextPort += count;
  const address = random.pick(clients[site.family]);
  const spread = random.maybe(2, () => ` addresses ${1 + random.below(9)}`);
  const endings = step < BEGUN_LATE ? ['', '', '', ' short'] : ['', ' short', ' syn'];
  const ending = site.protocol === 'sctp' ? '' : random.pick(endings);
  return `open ${count} ${site.protocol} ${address} ${from} ${vipOf(site)} ${site.port}${spread}${ending}`;
}

function range(random: Random): string {
  const from = random.below(12);
  return random.pick(['all', `${from}`, `${from}-${from + random.below(8)}`]);
}

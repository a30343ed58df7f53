// Random command lines over few services and real servers, so that they meet: edits, mistakes, and what is listed between.

import type { Random } from '../../random.ts';
import { schedulers } from './sites.ts';

const LINES = 26;
/** IPVS's loses thresholds. */
const SAVE = 't "ipvsadm -Sn | sed \'s/ -[xy] [0-9]*//g\'"';

export function commands(random: Random): string {
  const lines = ['# Random command lines.'];
  for (let line = 0; line < LINES; line++) lines.push(`ipvs '${commandLine(random)}'`);
  // Without services the order of those that there are does not show.
  return `${[...lines, SAVE, "ipvs '-Ln'", "ipvs '-Ln --stats'", "ipvs '-L --timeout'"].join('\n')}\n`;
}

function commandLine(random: Random): string {
  const kind = random.below(100);
  if (kind < 25) return `-A ${service(random)}${scheduling(random)}`;
  if (kind < 32) return `-E ${service(random)}${scheduling(random)}`;
  if (kind < 36) return `-D ${service(random)}`;
  if (kind < 66) return `-a ${service(random)} -r ${realServer(random)}${destination(random)}`;
  if (kind < 78) return `-e ${service(random)} -r ${realServer(random)}${destination(random)}`;
  if (kind < 83) return `-d ${service(random)} -r ${realServer(random)}`;
  if (kind < 84) return `-C${random.maybe(2, () => ` ${service(random)}`)}`;
  if (kind < 86) return `-Z${random.maybe(2, () => ` ${service(random)}`)}`;
  if (kind < 88) return `--set ${timeout(random)} ${timeout(random)} ${timeout(random)}`;
  if (kind < 92) return `-Ln ${service(random)}${random.maybe(3, () => ' --stats')}`;
  if (kind < 96) return random.pick(['-Ln', '-Ln --thresholds', '-Ln --persistent-conn', '-Lnc', '-Ln --tun-info']);
  return mistake(random);
}

const vips = [
  ...['-t 10.0.0.100', '-t 10.0.0.100', '-u 10.0.0.100', '-t 10.0.0.101'],
  ...['-t [fd00:a::100]', '-u [fd00:a::100]', '--sctp-service 10.0.0.100'],
];
const realServers = [
  ...['10.1.0.1', '10.1.0.2', '10.1.0.3', '10.1.0.3', '10.1.0.255', '0.0.0.0', '10.0.0.100'],
  ...['[fd00:b::1]', '[fd00:b::2]'],
];

function service(random: Random): string {
  if (random.once(8)) return `-f ${random.pick(['1', '2', '7', '7 -6'])}`;
  return `${random.pick(vips)}:${random.pick(['80', '80', '81', '443', 'http'])}`;
}

function scheduling(random: Random): string {
  return [
    random.maybe(4, () => '') || ` -s ${random.pick(schedulers)}`,
    random.maybe(4, () => ` -p ${random.pick(['', '1', '300', '0', '86400'])}`.trimEnd()),
    random.maybe(8, () => ` -M ${random.pick(['255.255.255.0', '255.255.0.0', '64', '24'])}`),
    random.maybe(8, () => ' -o'),
    random.maybe(8, () => ` -b ${random.pick(['sh-port', 'mh-fallback', 'flag-1', 'bogus'])}`),
    random.maybe(30, () => ' -s rr'),
  ].join('');
}

function realServer(random: Random): string {
  return `${random.pick(realServers)}${random.pick(['', ':80', ':80', ':8080', ':0'])}`;
}

function destination(random: Random): string {
  const method = random.pick(['', ' -g', ' -m', ' -m', ' -m', ' -i']);
  const tunnel = ['ipip', 'gre', 'gre --tun-csum', 'gue --tun-port 6080', 'gue'];
  return [
    method,
    method === ' -i' ? random.maybe(3, () => ` --tun-type ${random.pick(tunnel)}`) : '',
    random.maybe(2, () => ` -w ${random.pick(['0', '1', '2', '10', '65535', '-1', 'x'])}`),
    random.maybe(6, () => ` -x ${random.pick(['0', '5', '100'])}`),
    random.maybe(8, () => ` -y ${random.pick(['0', '5', '200'])}`),
    random.maybe(40, () => ' -s rr'),
  ].join('');
}

function timeout(random: Random): string {
  return random.pick(['0', '0', '1', '10', '300', '900', 'x']);
}

function mistake(random: Random): string {
  return random.pick([
    ...[
      '-A',
      '-a -r 10.1.0.1',
      '-Q',
      '--stats',
      '-A -t 10.0.0.100',
      '-A -t 10.0.0.300:80',
      '-A -t 10.0.0.100:99999 -s rr',
    ],
    ...[
      '-A -t 10.0.0.100:80 -s nosuch',
      '-L -t 10.0.0.100:80 -r 10.1.0.1',
      '-S -t 10.0.0.100:80',
      '-D',
      '-E -s rr',
      '-Ln extra',
    ],
  ]);
}

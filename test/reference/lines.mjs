// Command lines of ipvsadm by chance, right and wrong ones: `node test/reference/lines.mjs SEED` prints those of a seed. The
// recordings random-SEED.txt are what ipvsadm 1.31 on the kernel's IPVS made of them. From 100 on with all schedulers.
import { pathToFileURL } from 'node:url';

const services = [
  ...['-t 10.0.0.100:80', '-t 10.0.0.100:80', '-u 10.0.0.100:53', '-u 10.0.0.100:domain', '-f 7', '-f 7 -6'],
  ...['-t [fd00:a::100]:443', '-u [fd00:a::1:2:3:4:5]:53', '--sctp-service 10.0.0.100:9899', '-t 10.0.0.101'],
  ...['--tcp-service=10.0.0.100:https', '-t fd00:a::100', '-f 4294967290', '-u10.0.0.100:0', '-t 192.168.1.1:65535'],
];
const wrongServices = [
  ...[
    '-t 10.0.0.300:80',
    '-f 0',
    '-f -1',
    '-t 10.0.0.100:80 -f 7',
    '-6 -f 7',
    '-t [fd00:a::100]',
    '-u 10.0.0.100:http-alt2',
  ],
  ...['-t', '', '-t 10.0.0.100:80 -6', "-t ''", '-t 80', '-f 7:80', '--fwmark-service 0x7', '-t 10.0.0.100:80:80'],
];
const servers = [
  ...['10.1.0.1', '10.1.0.1:8080', '10.1.0.2:http', '10.1.0.2', '10.1.0.3:0', '10.1.0.4:80', '192.168.200.200:65535'],
  ...['[fd00:b::1]:80', 'fd00:b::2', '[fd00:b::1:2:3:4:5]:65535', 'fd00:b::1'],
];
const wrongServers = [
  ...['10.1.0.300', '0.0.0.0:80', '224.0.0.5:80', '10.1.0.255:80', '255.255.255.255', '[fd00:b::1]', '10.1.0.1:99999'],
  ...['ff02::1', 'fe80::1', '10.1.0.1:nosuch', "''"],
];
const schedulers = ['rr', 'wrr', 'lc', 'wlc', 'sed', 'nq', 'sh', 'sh', 'sh', 'dh', 'lblc', 'lblcr'];
const allSchedulers = [...schedulers, 'mh', 'mh', 'mh', 'fo', 'ovf', 'none'];
const flags = ['sh-port', 'sh-fallback', 'flag-1', 'flag-2', 'flag-3', 'mh-port', 'mh-fallback'];
const weights = ['0', '1', '7', '100', '65535', '65536', '2147483647', '+7', '007'];
const wrongWeights = ['2147483648', '-1', '5x', '0x5', "''"];
const counts = ['0', '1', '10', '50', '100', '70000', '2147483647'];
const wrongCounts = ['4294967295', '-1', 'many'];
const masks = [
  '255.255.255.0',
  '255.255.255.255',
  '255.0.255.0',
  '24',
  '64',
  '128',
  '129',
  '0',
  '1',
  'bogus',
  'localhost',
];
const listings = [
  '--stats',
  '--rate',
  '--thresholds',
  '--persistent-conn',
  '--tun-info',
  '--exact',
  '--sort',
  '-n',
  '-X',
];

/**
 * Numbers from 0 to 1 (mulberry32).
 * @param {number} seed
 * @returns {() => number}
 */
function chance(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * @param {number} seed
 * @returns {readonly string[]}
 */
export function randomLines(seed, length = 600) {
  const random = chance(seed);
  const below = (/** @type {number} */ limit) => Math.floor(random() * limit);
  const one = (/** @type {readonly string[]} */ of) => of[below(of.length)] ?? '';
  const often = (/** @type {number} */ likelihood, /** @type {() => string} */ make) =>
    random() < likelihood ? [make()] : [];
  const shuffled = (/** @type {readonly string[]} */ words) =>
    words
      .map((word) => ({ word, place: random() }))
      .sort((a, b) => a.place - b.place)
      .map(({ word }) => word);
  /** An option and its value, in one of the ways in which it may be written. */
  const valued = (/** @type {string} */ short, /** @type {string} */ long, /** @type {string} */ value) =>
    one([`-${short} ${value}`, `-${short} ${value}`, `--${long} ${value}`, `--${long}=${value}`, `-${short}${value}`]);
  const mostly = (/** @type {readonly string[]} */ right, /** @type {readonly string[]} */ wrong) =>
    one(random() < 0.07 ? wrong : right);
  /** @type {string[]} */
  const present = [];
  const service = () => (random() < 0.8 && present.length > 0 ? one(present) : mostly(services, wrongServices));
  const line = (/** @type {string[]} */ ...words) => ['ipvsadm', ...words].filter((word) => word !== '').join(' ');

  const serviceOptions = () => [
    ...often(0.8, () =>
      valued('s', 'scheduler', random() < 0.04 ? 'nosuch' : one(seed < 100 ? schedulers : allSchedulers)),
    ),
    ...often(0.4, () =>
      mostly(['-p', '-p 60', '-p 300', '--persistent', '-p2678400', '-p1'], ['-p 0', '-p 2678401', '-p abc']),
    ),
    ...often(0.25, () => valued('M', 'netmask', one(masks))),
    ...often(
      0.2,
      () => `-b ${one([one(flags), `${one(flags)},${one(flags)}`, `${one(flags)},`, 'flag-1,flag-2,flag-3'])}`,
    ),
    ...often(0.12, () => one(['--pe sip', '--pe sip', '--pe=sip', '--pe bogus', "--pe ''"])),
    ...often(0.12, () => one(['-o', '--ops'])),
    ...often(0.03, () => one(['-w 3', '-r 10.1.0.1', '-n', '--stats', '-x 5', '-g', 'extra', '--bogus', '-q', '-c'])),
  ];
  const tunnelOptions = () => [
    ...often(0.8, () => `--tun-type ${mostly(['ipip', 'gue', 'gue', 'gue', 'gre', 'gre'], ['vxlan'])}`),
    ...often(0.5, () => `--tun-port ${mostly(['6080', '6080', '5555', '65535'], ['0', '70000'])}`),
    ...often(0.4, () => one(['--tun-nocsum', '--tun-csum', '--tun-remcsum'])),
    ...often(0.05, () => one(['--tun-nocsum', '--tun-csum'])),
  ];
  const serverOptions = () => {
    const way = one(['', '', '-g', '-m', '-m', '-m', '-i', '-i', '-i', '-m', '-i', '--masquerading', '--ipip']);
    return [
      ...(way === '' ? [] : [way]),
      ...often(0.03, () => '-g'),
      ...often(0.5, () => valued('w', 'weight', mostly(weights, wrongWeights))),
      ...often(0.25, () => valued('x', 'u-threshold', mostly(counts, wrongCounts))),
      ...often(0.2, () => valued('y', 'l-threshold', mostly(counts, wrongCounts))),
      ...(way === '-i' || random() < 0.04 ? tunnelOptions() : []),
      ...often(0.03, () => one(['-s rr', '-p', '-n', '--stats', '-M 24', 'extra', '--bogus', '-6', '-o'])),
    ];
  };
  const server = (/** @type {string} */ of) => {
    const isSix = /fd00|-6/.test(of);
    const likely = servers.filter((address) => address.includes('fd00') === isSix);
    return valued('r', 'real-server', mostly(random() < 0.9 ? likely : servers, wrongServers));
  };
  const ordered = (/** @type {string} */ named, /** @type {readonly string[]} */ words) =>
    random() < 0.8 ? [named, ...shuffled(words)] : shuffled([named, ...words]);

  const list = () => {
    const options = often(0.7, () => one(listings)).concat(often(0.3, () => one(listings)));
    const numeric = one(['-L', '-Ln', '-Ln', '-l', '--list']);
    if (random() < 0.15) return line(numeric, one(['-c', '--timeout', '--daemon', '-c --persistent-conn']), ...options);
    return random() < 0.25 ? line(numeric, ...ordered(service(), options)) : line(numeric, ...options);
  };
  const onServer = (/** @type {string} */ command, /** @type {() => string[]} */ options) => {
    const of = service();
    return line(command, ...ordered(of, [server(of), ...options()]));
  };
  const addService = () => {
    const of = mostly(services, wrongServices);
    present.push(of);
    return line(one(['-A', '-A', '--add-service']), ...ordered(of, serviceOptions()));
  };
  const clear = (/** @type {string[]} */ ...more) => {
    present.length = 0;
    return line('-C', ...more);
  };
  /** @type {readonly (readonly [number, () => string])[]} */
  const makers = [
    [15, addService],
    [10, () => line(one(['-E', '--edit-service']), ...ordered(service(), serviceOptions()))],
    [40, () => onServer(one(['-a', '-a', '--add-server']), serverOptions)],
    [12, () => onServer(one(['-e', '--edit-server']), serverOptions)],
    [4, () => onServer('-d', () => often(0.1, () => '-w 1'))],
    [3, () => line(one(['-D', '--delete-service']), service())],
    [2, () => line('-Z', one(['', service()]))],
    [2, () => line('--set', ...[0, 1, 2].map(() => mostly(['0', '10', '900', '86400'], ['-1', 'x', '2678401'])))],
    [12, list],
    [8, () => line(one(['-Sn', '-Sn', '-S', '-S -n', '--save', '-S -c']))],
    [1, () => clear(...often(0.2, () => '-n'))],
  ];
  const whole = makers.reduce((sum, [share]) => sum + share, 0);
  const any = () => {
    let at = random() * whole;
    for (const [share, make] of makers) {
      at -= share;
      if (at < 0) return make();
    }
    return list();
  };
  const daemon = () =>
    random() < 0.35
      ? line('-L --daemon')
      : line(
          ...(random() < 0.4
            ? [`--stop-daemon ${one(['master', 'backup'])}`, ...often(0.2, () => '--syncid 7')]
            : [
                `--start-daemon ${one(['master', 'backup'])}`,
                ...shuffled([
                  ...often(0.8, () => `--mcast-interface ${one(['d1', 'd0', 'd0', 'nosuch', "''"])}`),
                  ...often(0.5, () => `--syncid ${one(['0', '7', '255', '256'])}`),
                  ...often(0.3, () => `--sync-maxlen ${one(['1', '10', '1400', '9000', '65507', '65508'])}`),
                  ...often(0.3, () => `--mcast-group ${one(['224.0.1.2', 'ff02::5', '10.0.0.1', 'fd00::1', 'x'])}`),
                  ...often(0.3, () => `--mcast-port ${one(['1', '8849', '65535', '0'])}`),
                  ...often(0.3, () => `--mcast-ttl ${one(['1', '255', '256', '0'])}`),
                ]),
              ]),
        );
  const lines = Array.from({ length }, (_, at) => {
    if (at % 60 === 0) return clear();
    return at % 60 < 10 ? addService() : any();
  });
  return [...lines, line('-C'), ...Array.from({ length: length / 10 }, daemon)];
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const text of randomLines(Number(process.argv[2]))) process.stdout.write(`${text}\n`);
}

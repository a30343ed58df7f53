// Debian packages: which ones each job needs, and their installation when one is missing.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { output, run } from './command.mjs';
import { SetupError, say } from './say.mjs';

// Debian 12 has several clangs; 16 is the one that its kernel 6.1 is tested with. Later releases have one that will do.
const isBookworm = /^VERSION_CODENAME=bookworm$/m.test(readIfThere('/etc/os-release'));
const clang = isBookworm ? 'clang-16' : 'clang';

const toBuild = [clang, 'libbpf-dev', 'linux-libc-dev', 'libbpf1'];
const toLab = [...toBuild, 'iproute2', 'ethtool', 'tcpdump', 'arptables', 'nftables', 'curl', 'iputils-ping'];
// clang-format's verdict differs between releases: the code is held to 16's.
const toCheck = [...toBuild, ...(isBookworm ? ['clang-format-16'] : [])];
const toConform = [...toLab, 'socat', ...(process.arch === 'x64' ? ['libc6-dev', 'qemu-system-x86', 'xz-utils'] : [])];
const toTest = [
  ...new Set([...toConform, ...toCheck]),
  ...[
    'wrk',
    'iperf3',
    'iptables',
    'dnsmasq-base',
    'bind9-dnsutils',
    'iputils-tracepath',
    'traceroute',
    'procps',
    'netbase',
    'python3',
  ],
];

/** None of these starts a service when it is installed. */
export const packages = {
  build: toBuild,
  lab: toLab,
  bench: [...toConform, 'wrk', 'iperf3'],
  conformance: toConform,
  fuzz: toLab,
  soak: [...toLab, 'wrk'],
  scale: toLab,
  check: toCheck,
  test: toTest,
};

/**
 * @param {readonly string[]} wanted
 * @returns {string} the versions of those that compile: other ones, other objects
 */
export function installPackages(wanted) {
  const missing = missingPackages(wanted);
  if (missing.length > 0) install(missing);
  return query(toBuild) ?? '';
}

/** @param {readonly string[]} wanted */
function missingPackages(wanted) {
  const listing = query(wanted);
  if (listing === undefined) {
    throw new SetupError(`this is not Debian (no dpkg-query). Install what these packages hold: ${wanted.join(' ')}`);
  }
  const installed = new Set(
    listing
      .split('\n')
      .map((line) => line.split(' '))
      .filter(([status]) => status === 'installed')
      .map(([, name]) => name),
  );
  return wanted.filter((name) => !installed.has(name));
}

/** @param {readonly string[]} names */
function query(names) {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own notation
  return output('dpkg-query', ['-W', '-f', '${db:Status-Status} ${Package} ${Version}\n', ...names]);
}

/** @param {readonly string[]} missing */
function install(missing) {
  const byHand = `apt-get install --no-install-recommends ${missing.join(' ')}`;
  if (process.getuid?.() !== 0) {
    throw new SetupError(`not running as root, and some Debian packages are missing. As root:\n  ${byHand}`);
  }
  if (output('apt-get', ['--version']) === undefined) {
    throw new SetupError(`there is no apt-get here. Install what these packages hold: ${missing.join(' ')}`);
  }
  say(`installing Debian packages: ${missing.join(' ')}`);
  const isListed = hasPackageLists();
  if (isListed && apt('install', missing)) return;
  say(isListed ? 'that failed: trying again with fresh package lists' : 'fetching package lists');
  run('dpkg', ['--configure', '-a', '--force-confdef', '--force-confold'], { env: quiet() }); // an install cut short
  if (!apt('update', [])) throw new SetupError('apt-get update failed (see above): is there a network, and a mirror?');
  if (!apt('install', missing)) throw new SetupError(`apt-get failed (see above). By hand:\n  ${byHand}`);
}

/**
 * @param {'install' | 'update'} verb
 * @param {readonly string[]} names
 */
function apt(verb, names) {
  const options = ['-q', '-o', 'Dpkg::Use-Pty=0', '-o', 'DPkg::Lock::Timeout=300', '-o', 'Acquire::Retries=3'];
  const how = ['-y', '--no-install-recommends', '-o', 'Dpkg::Options::=--force-confold'];
  return run('apt-get', [...options, verb, ...(verb === 'install' ? [...how, ...names] : [])], { env: quiet() });
}

function quiet() {
  return { ...process.env, DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_MODE: 'l', LC_ALL: 'C.UTF-8' };
}

function hasPackageLists() {
  const lists = '/var/lib/apt/lists';
  return existsSync(lists) && readdirSync(lists).some((name) => name.includes('_Packages'));
}

/** @param {string} path */
function readIfThere(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

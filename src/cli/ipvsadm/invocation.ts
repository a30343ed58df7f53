// One ipvsadm command line as a value: read word by word in ipvsadm's order, so that of several mistakes it tells the same.
import { type Address, equalAddresses, readAddress } from '../../model/address.ts';
import {
  type Method,
  mssRange,
  type Protocol,
  type ServiceIdentity,
  type Tunnel,
  type UoaMode,
  uoaModes,
} from '../../model/service.ts';
import type { SyncRole } from '../../model/sync.ts';
import type { Host } from './host.ts';
import { checkLegality, checkTunnelLegality, tunnelTypes } from './legality.ts';
import { type CommandName, type OptionName, type OptionSpec, options } from './options.ts';
import { lookupOf, type Reading, readWords, type Words } from './popt.ts';
import { failureStatus, Refusal, refuse, tryHelp } from './refusal.ts';
import { checkSchedulerFlags } from './schedulerflags.ts';
import { intMax, type Names, readEndpoint, readHost, readMark, readNumber, readTimeout } from './values.ts';

export interface Invocation {
  readonly command: CommandName;
  readonly given: ReadonlySet<OptionName>;
  /** The service that the options name; undefined when they name none. */
  readonly identity: ServiceIdentity | undefined;
  readonly protocol: Protocol | undefined;
  readonly vip: Address | undefined;
  readonly port: number;
  /** 0: the service is known by its address. */
  readonly mark: number;
  readonly family: 4 | 6;
  readonly scheduler: string;
  readonly rip: Address | undefined;
  readonly rport: number;
  /** As it was written; gate and tunnel have the service's all the same. */
  readonly writtenPort: number | undefined;
  readonly method: Method;
  readonly weight: number;
  readonly upperThreshold: number;
  readonly lowerThreshold: number;
  readonly schedulerFlags: string;
  /** Seconds; 0: the service is not persistent. */
  readonly persistenceS: number;
  /** Of -M; undefined: each client is one. */
  readonly netmask: Address | undefined;
  /** Empty: none. */
  readonly persistenceEngine: string;
  readonly mssClamp: number | 'path' | undefined;
  readonly uoa: UoaMode | undefined;
  readonly tunnel: Tunnel;
  /** Of --start-daemon and --stop-daemon. */
  readonly daemon: DaemonOptions;
  readonly localAddress: Address | undefined;
  /** tcp, tcpfin, udp in seconds; 0 keeps. */
  readonly timeouts: readonly [number, number, number];
}

/** 0 and undefined: the kernel's default. */
export interface DaemonOptions {
  readonly role: SyncRole;
  readonly interface: string;
  readonly syncId: number;
  readonly maxLength: number;
  readonly group: Address | undefined;
  readonly port: number;
  readonly ttl: number;
}

/** Reads a command line; a promise only where a name is to be looked up, for of 100,000 lines most have none. */
export type Reader = (argv: readonly string[]) => Invocation | Promise<Invocation>;

/** Throws, or rejects with, a Refusal when ipvsadm would refuse the line by itself, before it asks the kernel. */
export function openReader(host: Host): Reader {
  const addresses = new Map<string, Address | undefined>();
  const names: Names = {
    addressOf(name) {
      if (!addresses.has(name)) throw new UnknownName(name);
      return addresses.get(name);
    },
    portOf: (service, protocol) => host.portOf(service, protocol),
  };
  let previous: Invocation | undefined;
  const learn = async (name: string): Promise<void> => void addresses.set(name, await host.addressOf(name));
  const read: Reader = (argv) => {
    try {
      previous = interpret(argv, names, previous);
      return previous;
    } catch (error) {
      if (!(error instanceof UnknownName)) throw error;
      return learn(error.message).then(() => read(argv));
    }
  };
  return read;
}

/** What a line can't be read without yet. */
class UnknownName extends Error {}

function interpret(argv: readonly string[], names: Names, previous: Invocation | undefined): Invocation {
  const words = readWords(argv, lookup);
  const invocation = start(words.next());
  // --help and --version are answered at once, whatever follows.
  if (invocation.command === 'help' || invocation.command === 'version') return invocation;
  for (let reading = words.next(); reading !== undefined; reading = words.next()) {
    if (reading.kind === 'error') throw new Refusal(failureStatus, reading.text);
    take(invocation, reading.option, reading.argument ?? '', reading, names);
  }
  takeLeftovers(invocation, words);
  checkSchedulerFlags(invocation.scheduler, invocation.schedulerFlags);
  checkLegality(invocation.command, invocation.given);
  checkMeaning(invocation);
  invocation.identity = identityOf(invocation, previous?.identity);
  return invocation;
}

/** Lines of one service mostly follow each other: then it is `known`, the same object, whose key need not be made again. */
function identityOf(
  { protocol, vip, port, mark, family }: Draft,
  known?: ServiceIdentity,
): ServiceIdentity | undefined {
  if (mark !== 0) return { kind: 'mark', mark, family };
  if (protocol === undefined || vip === undefined) return undefined;
  const isKnown =
    known?.kind === 'address' && known.protocol === protocol && known.port === port && equalAddresses(known.vip, vip);
  return isKnown ? known : { kind: 'address', protocol, vip, port };
}

const lookup = lookupOf(options);

type Draft = { -readonly [Key in keyof Invocation]: Invocation[Key] } & { given: Set<OptionName> };

const defaultScheduler = 'wlc';
const defaultPersistenceS = 360;
const defaultInterface = 'eth0';
const defaultTunnel: Tunnel = { type: 'ipip', port: 0, checksum: 'none' };
const defaultDaemon: DaemonOptions = {
  role: 'master',
  interface: defaultInterface,
  syncId: 0,
  maxLength: 0,
  group: undefined,
  port: 0,
  ttl: 0,
};
const defaultTimeouts = [0, 0, 0] as const;

function start(first: Reading | undefined): Draft {
  if (first?.kind !== 'option' || first.option.command === undefined) throw tryHelp();
  const { command } = first.option;
  return {
    command,
    given: new Set(),
    identity: undefined,
    protocol: undefined,
    vip: undefined,
    port: 0,
    mark: 0,
    family: 4,
    scheduler: defaultScheduler,
    rip: undefined,
    rport: 0,
    writtenPort: undefined,
    method: 'gate',
    weight: 1,
    upperThreshold: 0,
    lowerThreshold: 0,
    schedulerFlags: '',
    persistenceS: 0,
    netmask: undefined,
    persistenceEngine: '',
    mssClamp: undefined,
    uoa: undefined,
    tunnel: defaultTunnel,
    daemon: first.argument === undefined ? defaultDaemon : { ...defaultDaemon, role: roleOf(command, first.argument) },
    localAddress: undefined,
    timeouts: defaultTimeouts,
  };
}

/** The two spellings are ipvsadm's. */
function roleOf(command: CommandName, text: string): SyncRole {
  if (text === 'master' || text === 'backup') return text;
  refuse(`illegal ${command === 'start-daemon' ? 'start-daemon parameter' : 'start_daemon'} specified`);
}

function take(
  draft: Draft,
  option: OptionSpec,
  text: string,
  reading: Extract<Reading, { kind: 'option' }>,
  names: Names,
): void {
  if (option.command !== undefined) refuse(`invalid option \`${reading.word}'`);
  if (option.name !== undefined) {
    if (draft.given.has(option.name)) refuse(`multiple '${option.name}' options specified`);
    draft.given.add(option.name);
  }
  valueTakers[option.long]?.(draft, text, names, reading.argument);
}

type ValueTaker = (draft: Draft, text: string, names: Names, given: string | undefined) => void;

/** By the option's long spelling; options that are not here only count as given. */
const valueTakers: Readonly<Record<string, ValueTaker>> = {
  'tcp-service': (draft, text, names) => takeService(draft, 'tcp', text, names),
  'udp-service': (draft, text, names) => takeService(draft, 'udp', text, names),
  'sctp-service': (draft, text, names) => takeService(draft, 'sctp', text, names),
  'fwmark-service': (draft, text) => {
    // Names of ports after -r are looked up as TCP's.
    draft.protocol = 'tcp';
    draft.mark = readMark(text);
  },
  ipv6: (draft) => {
    if (draft.mark === 0) refuse('-6 used before -f\n');
    draft.family = 6;
    draft.netmask = undefined;
  },
  scheduler: (draft, text) => {
    draft.scheduler = text === '' ? defaultScheduler : text;
  },
  persistent: (draft, text, _names, given) => {
    draft.persistenceS = given === undefined ? defaultPersistenceS : readTimeout(text, 1);
  },
  netmask: takeNetmask,
  pe: (draft, text) => {
    draft.persistenceEngine = text;
  },
  'sched-flags': (draft, text) => {
    draft.schedulerFlags = text;
  },
  'real-server': takeRealServer,
  masquerading: (draft) => {
    draft.method = 'masq';
  },
  ipip: (draft) => {
    draft.method = 'tunnel';
  },
  gatewaying: (draft) => {
    draft.method = 'gate';
  },
  fullnat: (draft) => {
    draft.method = 'fullnat';
  },
  weight: (draft, text) => {
    draft.weight = readNumber(text, 0, intMax) ?? refuse('illegal weight specified');
  },
  'u-threshold': (draft, text) => {
    draft.upperThreshold = readNumber(text, 0, intMax) ?? refuse('illegal u_threshold specified');
  },
  'l-threshold': (draft, text) => {
    draft.lowerThreshold = readNumber(text, 0, intMax) ?? refuse('illegal l_threshold specified');
  },
  'tun-type': (draft, text) => {
    const type = tunnelTypes.find((known) => known === text) ?? refuse('illegal tunnel type specified');
    draft.tunnel = { ...draft.tunnel, type };
  },
  'tun-port': (draft, text) => {
    draft.tunnel = { ...draft.tunnel, port: expectNumber(text, 1, 65535, 'illegal tunnel port specified') };
  },
  'tun-nocsum': (draft) => takeChecksum(draft, 'none'),
  'tun-csum': (draft) => takeChecksum(draft, 'full'),
  'tun-remcsum': (draft) => takeChecksum(draft, 'remote'),
  'mcast-interface': (draft, text) => takeDaemon(draft, { interface: text === '' ? defaultInterface : text }),
  syncid: (draft, text) => takeDaemon(draft, { syncId: expectNumber(text, 0, 255, 'illegal syncid specified') }),
  'sync-maxlen': (draft, text) =>
    takeDaemon(draft, { maxLength: expectNumber(text, 1, 65535 - 20 - 8, 'illegal sync-maxlen specified') }),
  'mcast-group': (draft, text) => takeDaemon(draft, { group: readMulticastGroup(text) }),
  'mcast-port': (draft, text) =>
    takeDaemon(draft, { port: expectNumber(text, 1, 65535, 'illegal mcast-port specified') }),
  'mcast-ttl': (draft, text) => takeDaemon(draft, { ttl: expectNumber(text, 1, 255, 'illegal mcast-ttl specified') }),
  'mss-clamp': (draft, text, _names, given) => {
    const { least, most } = mssRange;
    draft.mssClamp = given === undefined ? 'path' : expectNumber(text, least, most, 'illegal mss_clamp specified');
  },
  uoa: (draft, text) => {
    draft.uoa = uoaModes.find((known) => known === text) ?? refuse('illegal uoa specified: expected ipo or opp');
  },
  'local-address': (draft, text, names) => {
    const endpoint = readEndpoint(text, undefined, names);
    if (endpoint === undefined || endpoint.port !== undefined) refuse('illegal local address specified');
    draft.localAddress = endpoint.address;
  },
};

function takeService(draft: Draft, protocol: Protocol, text: string, names: Names): void {
  draft.protocol = protocol;
  const endpoint = readEndpoint(text, protocol, names);
  if (endpoint === undefined) refuse('illegal virtual server address[:port] specified');
  draft.vip = endpoint.address;
  draft.family = endpoint.address.family;
  draft.port = endpoint.port ?? 0;
  // A mask in front of an IPv6 address is forgotten.
  if (draft.family === 6) draft.netmask = undefined;
}

function takeRealServer(draft: Draft, text: string, names: Names): void {
  const endpoint = readEndpoint(text, draft.protocol, names);
  if (endpoint === undefined) refuse('illegal real server address[:port] specified');
  draft.rip = endpoint.address;
  draft.rport = endpoint.port ?? draft.port;
  draft.writtenPort = endpoint.port;
}

function takeNetmask(draft: Draft, text: string, names: Names): void {
  if (draft.family === 6) {
    const prefix = Number.parseInt(text, 10);
    if (!(prefix >= 1 && prefix <= 128)) refuse('illegal ipv6 netmask specified');
    draft.netmask = prefixMask(prefix);
    return;
  }
  const mask = readHost(text, names);
  if (mask?.family !== 4) refuse('illegal virtual server persistent mask specified');
  draft.netmask = mask;
}

function prefixMask(prefix: number): Address {
  const bytes = Array.from({ length: 16 }, (_, at) => 255 & ~(255 >> Math.min(Math.max(prefix - 8 * at, 0), 8)));
  return { family: 6, bytes };
}

function takeChecksum(draft: Draft, checksum: Tunnel['checksum']): void {
  draft.tunnel = { ...draft.tunnel, checksum };
}

function takeDaemon(draft: Draft, options: Partial<DaemonOptions>): void {
  draft.daemon = { ...draft.daemon, ...options };
}

function readMulticastGroup(text: string): Address {
  const address = readAddress(text);
  const [first = 0] = address?.bytes ?? [];
  const isMulticast = address?.family === 6 ? first === 0xff : first >= 224 && first < 240;
  return address && isMulticast ? address : refuse(`invalid IPv${text.includes(':') ? 6 : 4} mcast-group \`${text}'`);
}

function expectNumber(text: string, min: number, max: number, otherwise: string): number {
  return readNumber(text, min, max) ?? refuse(otherwise);
}

function takeLeftovers(draft: Draft, { leftovers }: Words): void {
  const rest = [...leftovers];
  if (draft.command === 'set') {
    const [tcp, tcpFin, udp] = rest.splice(0, 3);
    if (tcp === undefined || tcpFin === undefined || udp === undefined)
      refuse('--set option requires 3 timeout values');
    draft.timeouts = [readTimeout(tcp, 0), readTimeout(tcpFin, 0), readTimeout(udp, 0)];
  }
  const [unexpected] = rest;
  if (unexpected !== undefined) refuse(`unexpected argument ${unexpected}`);
}

/** What ipvsadm checks of the whole line after the options as such are legal, and the port that it imposes. */
function checkMeaning(draft: Draft): void {
  const { command, given } = draft;
  if (command === 'add-service' || command === 'edit-service') {
    if (draft.mark === 0 && draft.port === 0 && !given.has('persistent')) {
      refuse('Zero port specified for non-persistent service');
    }
    if (given.has('ops') && draft.mark === 0 && draft.protocol !== 'udp') {
      refuse('One-Packet Scheduling is only for UDP virtual services');
    }
    if (given.has('mss-clamp') && draft.mark === 0 && draft.protocol !== 'tcp') {
      refuse('The MSS clamp is only for TCP virtual services');
    }
    if (given.has('uoa') && draft.mark === 0 && draft.protocol !== 'udp') {
      refuse('UOA is only for UDP virtual services');
    }
    if (draft.uoa === 'ipo' && draft.family === 6) refuse('IPv6 has no options of IPv4: expected --uoa opp');
  }
  if (command === 'add-server' || command === 'edit-server') checkDestination(draft);
  if (command === 'list') checkList(given);
}

function checkDestination(draft: Draft): void {
  const { given, method } = draft;
  // Direct routing and tunnelling leave the port in the packet as it is; marks stand for many ports.
  if (draft.mark === 0 && (method === 'gate' || method === 'tunnel')) draft.rport = draft.port;
  if (draft.rip?.family !== draft.family && method !== 'tunnel' && method !== 'fullnat') {
    refuse('Different address family is allowed only for tunneling servers');
  }
  const tunnelOptions: readonly OptionName[] = ['tun-type', 'tun-port', 'tun-nocsum', 'tun-csum', 'tun-remcsum'];
  if (method === 'tunnel') checkTunnelLegality(draft.tunnel.type, given);
  else if (tunnelOptions.some((name) => given.has(name))) refuse('Tunnel options conflict with forward method');
}

function checkList(given: ReadonlySet<OptionName>): void {
  const has = (...names: OptionName[]) => names.some((name) => given.has(name));
  const conflicts =
    (has('connection', 'timeout', 'daemon') && has('stats', 'rate', 'thresholds')) ||
    (has('timeout', 'daemon') && has('persistent-conn'));
  if (conflicts) refuse('options conflicts in the list command');
}

// One ipvsadm command line as a value: read word by word in ipvsadm's order, so that of several mistakes it tells the same.
import { type Address, readAddress } from '../../model/address.ts';
import type { Method, Protocol, ServiceIdentity } from '../../model/service.ts';
import type { Host } from './host.ts';
import { checkLegality, checkTunnelLegality, type TunnelType, tunnelTypes } from './legality.ts';
import { type CommandName, type OptionName, type OptionSpec, options } from './options.ts';
import { lookupOf, type Reading, readWords, type Words } from './popt.ts';
import { failureStatus, Refusal, refuse, tryHelp } from './refusal.ts';
import { checkSchedulerFlags } from './schedulerflags.ts';
import { type Endpoint, intMax, readEndpoint, readHost, readMark, readNumber, readTimeout } from './values.ts';

export interface Invocation {
  readonly command: CommandName;
  readonly given: ReadonlySet<OptionName>;
  readonly protocol: Protocol | undefined;
  readonly vip: Address | undefined;
  readonly port: number;
  /** 0: the service is known by its address. */
  readonly mark: number;
  readonly family: 4 | 6;
  readonly scheduler: string;
  readonly rip: Address | undefined;
  readonly rport: number;
  readonly method: Method;
  readonly weight: number;
  readonly upperThreshold: number;
  readonly lowerThreshold: number;
  readonly schedulerFlags: string;
  readonly tunnelType: TunnelType;
  readonly localAddress: Address | undefined;
  /** tcp, tcpfin, udp in seconds; 0 keeps. */
  readonly timeouts: readonly [number, number, number];
}

/** Rejects with a Refusal when ipvsadm would refuse the line by itself, before it asks the kernel. */
export async function readInvocation(argv: readonly string[], host: Host): Promise<Invocation> {
  const words = readWords(argv, lookup);
  const invocation = start(words.next());
  // --help and --version are answered at once, whatever follows.
  if (invocation.command === 'help' || invocation.command === 'version') return invocation;
  for (let reading = words.next(); reading !== undefined; reading = words.next()) {
    if (reading.kind === 'error') throw new Refusal(failureStatus, reading.text);
    await take(invocation, reading.option, reading.argument ?? '', reading, host);
  }
  takeLeftovers(invocation, words);
  checkSchedulerFlags(invocation.scheduler, invocation.schedulerFlags);
  checkLegality(invocation.command, invocation.given);
  checkMeaning(invocation);
  return invocation;
}

/** The service that the options name; undefined when they name none. */
export function identityOf({ protocol, vip, port, mark, family }: Invocation): ServiceIdentity | undefined {
  if (mark !== 0) return { kind: 'mark', mark, family };
  return protocol && vip && { kind: 'address', protocol, vip, port };
}

const lookup = lookupOf(options);

type Draft = { -readonly [Key in keyof Invocation]: Invocation[Key] } & { given: Set<OptionName> };

const defaultScheduler = 'wlc';

function start(first: Reading | undefined): Draft {
  if (first?.kind !== 'option' || first.option.command === undefined) throw tryHelp();
  const { command } = first.option;
  const isKnownRole = first.argument === undefined || ['master', 'backup'].includes(first.argument);
  // The two spellings are ipvsadm's.
  if (!isKnownRole)
    refuse(`illegal ${command === 'start-daemon' ? 'start-daemon parameter' : 'start_daemon'} specified`);
  return {
    command,
    given: new Set(),
    protocol: undefined,
    vip: undefined,
    port: 0,
    mark: 0,
    family: 4,
    scheduler: defaultScheduler,
    rip: undefined,
    rport: 0,
    method: 'gate',
    weight: 1,
    upperThreshold: 0,
    lowerThreshold: 0,
    schedulerFlags: '',
    tunnelType: 'ipip',
    localAddress: undefined,
    timeouts: [0, 0, 0],
  };
}

async function take(
  draft: Draft,
  option: OptionSpec,
  text: string,
  reading: Extract<Reading, { kind: 'option' }>,
  host: Host,
): Promise<void> {
  if (option.command !== undefined) refuse(`invalid option \`${reading.word}'`);
  if (option.name !== undefined) {
    if (draft.given.has(option.name)) refuse(`multiple '${option.name}' options specified`);
    draft.given.add(option.name);
  }
  const takeValue = valueTakers[option.long];
  if (takeValue !== undefined) await takeValue(draft, text, host, reading.argument);
}

type ValueTaker = (draft: Draft, text: string, host: Host, given: string | undefined) => void | Promise<void>;

/** By the option's long spelling; options that are not here only count as given. */
const valueTakers: Readonly<Record<string, ValueTaker>> = {
  'tcp-service': (draft, text, host) => takeService(draft, 'tcp', text, host),
  'udp-service': (draft, text, host) => takeService(draft, 'udp', text, host),
  'sctp-service': (draft, text, host) => takeService(draft, 'sctp', text, host),
  'fwmark-service': (draft, text) => {
    // Names of ports after -r are looked up as TCP's.
    draft.protocol = 'tcp';
    draft.mark = readMark(text);
  },
  ipv6: (draft) => {
    if (draft.mark === 0) refuse('-6 used before -f\n');
    draft.family = 6;
  },
  scheduler: (draft, text) => {
    draft.scheduler = text === '' ? defaultScheduler : text;
  },
  persistent: (_draft, text, _host, given) => {
    if (given !== undefined) readTimeout(text, 1);
  },
  netmask: takeNetmask,
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
    draft.tunnelType = tunnelTypes.find((type) => type === text) ?? refuse('illegal tunnel type specified');
  },
  'tun-port': (_draft, text) => expectNumber(text, 1, 65535, 'illegal tunnel port specified'),
  syncid: (_draft, text) => expectNumber(text, 0, 255, 'illegal syncid specified'),
  'sync-maxlen': (_draft, text) => expectNumber(text, 1, 65535 - 20 - 8, 'illegal sync-maxlen specified'),
  'mcast-group': takeMulticastGroup,
  'mcast-port': (_draft, text) => expectNumber(text, 1, 65535, 'illegal mcast-port specified'),
  'mcast-ttl': (_draft, text) => expectNumber(text, 1, 255, 'illegal mcast-ttl specified'),
  'local-address': async (draft, text, host) => {
    const endpoint = await readEndpoint(text, undefined, host);
    if (endpoint === undefined || endpoint.port !== undefined) refuse('illegal local address specified');
    draft.localAddress = endpoint.address;
  },
};

async function takeService(draft: Draft, protocol: Protocol, text: string, host: Host): Promise<void> {
  draft.protocol = protocol;
  const endpoint = await readEndpoint(text, protocol, host);
  if (endpoint === undefined) refuse('illegal virtual server address[:port] specified');
  draft.vip = endpoint.address;
  draft.family = endpoint.address.family;
  draft.port = endpoint.port ?? 0;
}

async function takeRealServer(draft: Draft, text: string, host: Host): Promise<void> {
  const endpoint: Endpoint | undefined = await readEndpoint(text, draft.protocol, host);
  if (endpoint === undefined) refuse('illegal real server address[:port] specified');
  draft.rip = endpoint.address;
  draft.rport = endpoint.port ?? draft.port;
}

async function takeNetmask(draft: Draft, text: string, host: Host): Promise<void> {
  if (draft.family === 6) {
    const prefix = Number.parseInt(text, 10);
    if (!(prefix >= 1 && prefix <= 128)) refuse('illegal ipv6 netmask specified');
  } else if ((await readHost(text, host)) === undefined) refuse('illegal virtual server persistent mask specified');
}

function takeMulticastGroup(_draft: Draft, text: string): void {
  const family = text.includes(':') ? 6 : 4;
  const [first = 0] = readAddress(text)?.bytes ?? [];
  const isMulticast = family === 6 ? first === 0xff : first >= 224 && first < 240;
  if (!isMulticast) refuse(`invalid IPv${family} mcast-group \`${text}'`);
}

function expectNumber(text: string, min: number, max: number, otherwise: string): void {
  if (readNumber(text, min, max) === undefined) refuse(otherwise);
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
  }
  if (command === 'add-server' || command === 'edit-server') checkDestination(draft);
  if (command === 'list') checkList(given);
}

function checkDestination(draft: Draft): void {
  const { given, method } = draft;
  // Direct routing and tunnelling leave the port in the packet as it is; marks stand for many ports.
  if (draft.mark === 0 && (method === 'gate' || method === 'tunnel')) draft.rport = draft.port;
  if (draft.rip?.family !== draft.family && method !== 'tunnel') {
    refuse('Different address family is allowed only for tunneling servers');
  }
  const tunnelOptions: readonly OptionName[] = ['tun-type', 'tun-port', 'tun-nocsum', 'tun-csum', 'tun-remcsum'];
  if (method === 'tunnel') checkTunnelLegality(draft.tunnelType, given);
  else if (tunnelOptions.some((name) => given.has(name))) refuse('Tunnel options conflict with forward method');
}

function checkList(given: ReadonlySet<OptionName>): void {
  const has = (...names: OptionName[]) => names.some((name) => given.has(name));
  const conflicts =
    (has('connection', 'timeout', 'daemon') && has('stats', 'rate', 'thresholds')) ||
    (has('timeout', 'daemon') && has('persistent-conn'));
  if (conflicts) refuse('options conflicts in the list command');
}

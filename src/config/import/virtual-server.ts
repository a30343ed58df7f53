// keepalived's virtual servers and their real servers as services.
import { readAddress } from '../../model/address.ts';
import { prefixLength } from '../../model/mark.ts';
import { schedulers } from '../../model/service.ts';
import { checkerKinds, readChecker, type Surroundings } from './checkers.ts';
import { type Draft, type Keywords, type Losses, readBlock } from './draft.ts';
import { readTruth, type Timing, timingKeywords } from './timing.ts';
import type { Statement } from './tree.ts';
import { splitCommand } from './words.ts';

/** What a virtual server is for. */
export interface Names {
  readonly addresses: readonly string[];
  readonly marks: readonly { readonly mark: number; readonly family?: 'ipv4' | 'ipv6' }[];
}

export interface Made {
  readonly statement: Statement;
  readonly services: readonly Draft[];
}

interface VirtualServer {
  readonly timing: Timing;
  readonly service: Draft;
  readonly persistence: Draft;
  readonly notify: Draft;
  readonly quorum: Draft;
  readonly realServers: Statement[];
  protocol: 'tcp' | 'udp' | 'sctp';
  family: 'ipv4' | 'ipv6' | undefined;
  isPersistent: boolean;
  isInhibited: boolean;
  virtualhost: string | undefined;
  sorry: { statement: Statement; draft: Draft } | undefined;
}

export function readVirtualServer(statement: Statement, names: Names, tls: Draft, losses: Losses): Made {
  const server: VirtualServer = {
    timing: {},
    service: {},
    persistence: {},
    notify: {},
    quorum: {},
    realServers: [],
    protocol: 'tcp',
    family: undefined,
    isPersistent: false,
    isInhibited: false,
    virtualhost: undefined,
    sorry: undefined,
  };
  readBlock(statement, serverKeywords(losses), server, losses);
  const ports = new Set(names.addresses.map((address) => address.replace(/^.*:/, '')));
  const destinations = server.realServers.map((one) => readRealServer(one, server, ports, tls, losses));
  const content = contentOf(server, destinations);
  const addresses = names.addresses.length === 1 ? names.addresses[0] : names.addresses;
  const byAddress = names.addresses.length === 0 ? [] : [{ [server.protocol]: addresses, ...content }];
  const byMark = names.marks.map(({ mark, family }) => {
    const known = family ?? server.family ?? familyOf(server.realServers);
    return { mark, ...(known === 'ipv6' && { family: known }), ...content };
  });
  return { statement, services: [...byAddress, ...byMark] };
}

function contentOf(server: VirtualServer, destinations: readonly Draft[]): Draft {
  const { persistence, quorum, sorry } = server;
  const { shared, own } = sharedChecks(destinations);
  return {
    ...server.service,
    ...(server.isPersistent && {
      persistence: Object.keys(persistence).length === 1 ? persistence.timeout : persistence,
    }),
    ...(server.isInhibited && { on_failure: 'weight-0' }),
    ...(Object.keys(quorum).length > 0 && { quorum }),
    ...(Object.keys(server.notify).length > 0 && { notify: server.notify }),
    checks: shared,
    destinations: own.map(short),
    ...(sorry && { sorry_server: short(sorry.draft) }),
  };
}

/** An address alone where that is all that is said. */
function short(destination: Draft): unknown {
  return Object.keys(destination).length === 1 ? destination.rip : destination;
}

/** The checks that all destinations have stand at the service. */
function sharedChecks(destinations: readonly Draft[]): { shared: unknown; own: readonly Draft[] } {
  const [first, ...others] = destinations.map(({ checks }) => JSON.stringify(checks));
  if (first === undefined) return { shared: 'none', own: destinations };
  if (others.some((one) => one !== first)) return { shared: 'none', own: destinations };
  return { shared: destinations[0]?.checks, own: destinations.map(({ checks: _, ...rest }) => rest) };
}

function serverKeywords(losses: Losses): Keywords<VirtualServer> {
  const scheduler = (statement: Statement, { service }: VirtualServer): void => {
    const name = statement.words[0] ?? '';
    if (schedulers.some((known) => known === name)) service.scheduler = name;
    else losses.lose(statement, 'there is no such scheduler: wlc takes its place');
  };
  const method = (statement: Statement, { service }: VirtualServer): void => {
    Object.assign(service, readMethod(statement, losses));
  };
  const flag = ({ keyword }: Statement, { service }: VirtualServer): void => {
    service.scheduler_flags = [...((service.scheduler_flags as string[] | undefined) ?? []), keyword];
  };
  const lost =
    (why: string) =>
    (statement: Statement): void =>
      losses.lose(statement, why);
  const flags = ['flag-1', 'flag-2', 'flag-3', 'sh-port', 'sh-fallback', 'mh-port', 'mh-fallback'];
  return {
    ...timingKeywords<VirtualServer>(losses),
    ...Object.fromEntries(flags.map((name) => [name, flag])),
    lb_algo: scheduler,
    lvs_sched: scheduler,
    lb_kind: method,
    lvs_method: method,
    ops: (_, { service }) => {
      service.one_packet = true;
    },
    protocol: (statement, server) => {
      const name = (statement.words[0] ?? '').toLowerCase();
      if (name === 'tcp' || name === 'udp' || name === 'sctp') server.protocol = name;
      else losses.lose(statement, 'expected TCP, UDP or SCTP');
    },
    persistence_timeout: (statement, server) => {
      const seconds = Number(statement.words[0] ?? 360);
      server.isPersistent = seconds > 0;
      server.persistence.timeout = `${seconds}s`;
    },
    persistence_granularity: (statement, { persistence }) => {
      const mask = readMask(statement.words[0] ?? '');
      if (mask === undefined) losses.lose(statement, 'expected a mask or the length of a prefix');
      else persistence.mask = mask;
    },
    persistence_engine: ({ words: [name] }, server) => {
      server.persistence.engine = name;
    },
    virtualhost: ({ words: [name] }, server) => {
      server.virtualhost = name;
    },
    quorum: ({ words: [weight] }, { quorum }) => {
      quorum.weight = Number(weight);
    },
    hysteresis: ({ words: [weight] }, { quorum }) => {
      quorum.hysteresis = Number(weight);
    },
    quorum_up: (statement, { notify }) => program(statement, notify, 'quorum_up', losses),
    quorum_down: (statement, { notify }) => program(statement, notify, 'quorum_down', losses),
    ip_family: (statement, server) => {
      server.family = statement.words[0] === 'inet6' ? 'ipv6' : 'ipv4';
    },
    inhibit_on_failure: (statement, server) => {
      server.isInhibited = readTruth(statement);
    },
    sorry_server: (statement, server) => {
      server.sorry = { statement, draft: { ...server.sorry?.draft, rip: endpoint(statement) } };
    },
    sorry_server_lvs_method: (statement, server) => {
      const draft = { ...server.sorry?.draft, ...readMethod(statement, losses) };
      server.sorry = { statement: server.sorry?.statement ?? statement, draft };
    },
    real_server: (statement, { realServers }) => void realServers.push(statement),
    sorry_server_inhibit: lost('the sorry server is there only while the quorum is lost'),
    omega: lost('services outlive the daemon: nothing is down when it ends'),
    ha_suspend: lost('checks go on whether or not the VIP is here'),
    smtp_alert: lost('no mail is sent: notify runs a program'),
    snmp_name: lost('there is no SNMP'),
    net_mask: lost('it has had no meaning for long'),
    nat_mask: lost('it has had no meaning for long'),
  };
}

interface RealServer {
  readonly timing: Timing;
  readonly destination: Draft;
  readonly notify: Draft;
  readonly checkers: Statement[];
  isInhibited: boolean;
  virtualhost: string | undefined;
}

/** `ports`: the virtual server's; none for a mark's. */
function readRealServer(
  statement: Statement,
  virtual: VirtualServer,
  ports: ReadonlySet<string>,
  tls: Draft,
  losses: Losses,
): Draft {
  const server: RealServer = {
    timing: { ...virtual.timing },
    destination: {},
    notify: {},
    checkers: [],
    isInhibited: virtual.isInhibited,
    virtualhost: virtual.virtualhost,
  };
  readBlock(statement, realKeywords(losses), server, losses);
  const method = server.destination.method ?? virtual.service.method ?? 'masq';
  const isDirect = method === 'gate' || method === 'tunnel';
  const [address = '', port] = statement.words;
  // Packets of gate and tunnel keep their port; keepalived's probes do not.
  const isPortKept = !isDirect || ports.size === 0;
  const isOther = !isPortKept && port !== undefined && !(ports.size === 1 && ports.has(port));
  if (isOther) losses.lose(statement, `packets come to the virtual server's port, probes go to port ${port}`);
  const surroundings: Surroundings = {
    timing: server.timing,
    virtualhost: server.virtualhost,
    isDirect,
    port: isOther ? Number(port) : undefined,
    tls,
  };
  const checks = server.checkers.flatMap((checker) => readChecker(checker, surroundings, losses));
  if (checks.length === 0 && (statement.block ?? []).some(({ keyword }) => /_CHECK$|_GET$/.test(keyword)))
    losses.lose(statement, 'none of its checks could be carried over: it counts as up');
  return {
    rip: isPortKept ? endpoint(statement) : address,
    ...server.destination,
    ...(server.isInhibited !== virtual.isInhibited && { on_failure: server.isInhibited ? 'weight-0' : 'remove' }),
    ...(Object.keys(server.notify).length > 0 && { notify: server.notify }),
    checks: checks.length === 0 ? 'none' : checks,
  };
}

function realKeywords(losses: Losses): Keywords<RealServer> {
  const number =
    (name: string) =>
    ({ words: [word] }: Statement, { destination }: RealServer): void => {
      destination[name] = Number(word);
    };
  const method = (statement: Statement, { destination }: RealServer): void => {
    Object.assign(destination, readMethod(statement, losses));
  };
  return {
    ...timingKeywords<RealServer>(losses),
    ...Object.fromEntries(
      Object.keys(checkerKinds).map((kind) => [
        kind,
        (statement: Statement, { checkers }: RealServer): void => void checkers.push(statement),
      ]),
    ),
    weight: ({ words: [word] }, { destination }) => {
      if (word !== '1') destination.weight = Number(word);
    },
    uthreshold: number('upper_threshold'),
    lthreshold: number('lower_threshold'),
    lvs_method: method,
    lb_kind: method,
    inhibit_on_failure: (statement, server) => {
      server.isInhibited = readTruth(statement);
    },
    notify_up: (statement, { notify }) => program(statement, notify, 'up', losses),
    notify_down: (statement, { notify }) => program(statement, notify, 'down', losses),
    virtualhost: ({ words: [name] }, server) => {
      server.virtualhost = name;
    },
    smtp_alert: (statement) => losses.lose(statement, 'no mail is sent: notify runs a program'),
    snmp_name: (statement) => losses.lose(statement, 'there is no SNMP'),
    BFD_CHECK: (statement) => losses.lose(statement, 'there is no BFD'),
    FILE_CHECK: (statement) => losses.lose(statement, 'weights do not come from files: an exec check may set them'),
  };
}

/** `NAT`, `DR`, or `TUN type gue port 5555 remcsum`; `FNAT` of keepalived's branches that have it. */
function readMethod(statement: Statement, losses: Losses): Draft {
  const [name = '', ...rest] = statement.words;
  const method = { NAT: 'masq', DR: 'gate', TUN: 'tunnel', FNAT: 'fullnat', FULLNAT: 'fullnat' }[name.toUpperCase()];
  if (method === undefined) {
    losses.lose(statement, 'expected NAT, DR or TUN');
    return {};
  }
  const word = (after: string): string | undefined =>
    rest.includes(after) ? rest[rest.indexOf(after) + 1] : undefined;
  const type = word('type');
  if (method !== 'tunnel' || type === undefined || type === 'ipip') return { method };
  const checksum = rest.includes('remcsum') ? 'remote' : 'full';
  const tunnel = {
    type,
    ...(type === 'gue' && { port: Number(word('port') ?? 6080) }),
    ...((rest.includes('csum') || rest.includes('remcsum')) && { checksum }),
  };
  return { method, tunnel: Object.keys(tunnel).length === 1 ? type : tunnel };
}

function readMask(text: string): number | string | undefined {
  if (/^\d{1,3}$/.test(text)) return Number(text);
  const address = readAddress(text);
  return address === undefined ? undefined : (prefixLength(address) ?? text);
}

function program(statement: Statement, notify: Draft, name: string, losses: Losses): void {
  const [text = '', ...user] = statement.words;
  const command = splitCommand(text);
  if (!command[0]?.startsWith('/')) {
    losses.lose(statement, 'a program is named by its whole path, from / on');
    return;
  }
  notify[name] = command;
  if (user.length > 0) losses.lose(statement, "it runs as the daemon's user, with the same arguments");
}

export function endpoint({ words: [address = '', port] }: Pick<Statement, 'words'>): string {
  if (port === undefined) return address;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function familyOf(realServers: readonly Statement[]): 'ipv4' | 'ipv6' {
  return realServers.length > 0 && realServers.every(({ words: [address = ''] }) => address.includes(':'))
    ? 'ipv6'
    : 'ipv4';
}

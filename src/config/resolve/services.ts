// Services with each default in its place, and what IPVS would refuse of them.
import { type Address, equalAddresses, formatAddress } from '../../model/address.ts';
import type { Check } from '../../model/check.ts';
import type { DeclaredDestination, DeclaredService, Notify, Quorum } from '../../model/declared.ts';
import { FairleadError } from '../../model/error.ts';
import { prefixMask } from '../../model/mark.ts';
import type {
  Destination,
  Method,
  Persistence,
  Protocol,
  Scheduler,
  ServiceIdentity,
  Tunnel,
} from '../../model/service.ts';
import { checkNewDestination, destinationKey, serviceFamily, serviceKey } from '../../model/table.ts';
import type { Path } from '../problem.ts';
import type { WrittenCheck, WrittenCheckSettings } from '../schema/checks.ts';
import { toMask, type WrittenEndpoint } from '../schema/scalars.ts';
import type { WrittenDefaults, WrittenDestination, WrittenService } from '../schema/service.ts';
import { resolveCheck } from './checks.ts';
import type { Problems } from './problems.ts';

const persistenceTimeoutS = 300;
const guePort = 6080;

/** Where a service was declared, to be told when it is again. */
export type Known = Map<string, Path>;

export function resolveService(
  written: WrittenService,
  defaults: WrittenDefaults,
  path: Path,
  known: Known,
  problems: Problems,
): readonly DeclaredService[] {
  const said: Said = { ...defaults, ...written };
  const services: DeclaredService[] = [];
  for (const { identity, at } of identitiesOf(written, path))
    if (enter(identity, at, known, problems)) services.push(resolveOne(identity, said, path, problems));
  return services;
}

/** False where it is there already, which is a problem. */
export function enter(identity: ServiceIdentity, at: Path, known: Known, problems: Problems): boolean {
  const key = serviceKey(identity);
  const before = known.get(key);
  if (before === undefined) known.set(key, at);
  else problems.again(at, before, `the service ${key} is there twice`);
  return before === undefined;
}

type Said = WrittenService & Pick<WrittenDefaults, 'check'>;

function identitiesOf(written: WrittenService, path: Path): readonly { identity: ServiceIdentity; at: Path }[] {
  if (written.mark !== undefined) {
    const family = written.family === 'ipv6' ? 6 : 4;
    return [{ identity: { kind: 'mark', mark: written.mark, family }, at: [...path, 'mark'] }];
  }
  return (['tcp', 'udp', 'sctp'] as const).flatMap((protocol: Protocol) =>
    (written[protocol] ?? []).map(({ address: vip, port }, index) => ({
      identity: { kind: 'address', protocol, vip, port } as const,
      at: [...path, protocol, index],
    })),
  );
}

function resolveOne(identity: ServiceIdentity, said: Said, path: Path, problems: Problems): DeclaredService {
  const family = serviceFamily(identity);
  const scheduler = said.scheduler ?? 'wlc';
  const persistence = resolvePersistence(said, family, path, problems);
  const service = {
    identity,
    scheduler,
    ...(said.scheduler_flags?.length ? { schedulerFlags: said.scheduler_flags } : {}),
    ...(persistence && { persistence }),
    ...(said.one_packet && { onePacket: true }),
    ...(said.mss_clamp !== undefined && { mssClamp: said.mss_clamp }),
    ...(said.uoa !== undefined && { uoa: said.uoa }),
    ...(typeof said.persistence === 'object' && 'engine' in said.persistence && said.persistence.engine !== undefined
      ? { persistenceEngine: said.persistence.engine }
      : {}),
    localAddresses: said.local_addresses ?? [],
  };
  checkService(service, said, path, problems);
  const checks = checksOf(identity, said, path, problems);
  const destinations = resolveDestinations(identity, said, checks, path, problems);
  return {
    ...service,
    destinations,
    onRemove: said.on_remove ?? 'keep',
    onFailure: said.on_failure ?? 'remove',
    quorum: resolveQuorum(said.quorum),
    sorryServer: resolveSorryServer(identity, said, path, problems),
    slowStartMs: said.slow_start ?? 0,
    notify: resolveNotify(said.notify),
  };
}

function resolveSorryServer(
  identity: ServiceIdentity,
  said: Said,
  path: Path,
  problems: Problems,
): Destination | undefined {
  const written = said.sorry_server;
  if (written === undefined) return undefined;
  const at = (): Path => [...path, 'sorry_server'];
  const destination = destinationOf(identity, written, said, at, problems);
  return isAdmitted(identity, destination, at, problems) ? destination : undefined;
}

function checkService(
  {
    identity,
    scheduler,
    persistence,
    onePacket,
    localAddresses,
  }: {
    identity: ServiceIdentity;
    scheduler: Scheduler;
    persistence?: Persistence;
    onePacket?: boolean;
    localAddresses: readonly Address[];
  },
  said: Said,
  path: Path,
  problems: Problems,
): void {
  for (const [index, flag] of (said.scheduler_flags ?? []).entries()) {
    const owner = /^(sh|mh)-/.exec(flag)?.[1];
    if (owner !== undefined && owner !== scheduler)
      problems.add([...path, 'scheduler_flags', index], `expected a flag of the scheduler ${scheduler}, got ${flag}`);
  }
  if (identity.kind === 'address' && identity.port === 0 && persistence === undefined)
    problems.add(path, 'port 0, which is all ports, needs persistence');
  if (onePacket && identity.kind === 'address' && identity.protocol !== 'udp')
    problems.add([...path, 'one_packet'], 'one-packet scheduling is for udp and marks only');
  if (said.mss_clamp !== undefined && identity.kind === 'address' && identity.protocol !== 'tcp')
    problems.add([...path, 'mss_clamp'], 'segments are of tcp, which marks may have too');
  if (said.uoa !== undefined && identity.kind === 'address' && identity.protocol !== 'udp')
    problems.add([...path, 'uoa'], 'uoa is of udp, which marks may have too');
  const family = serviceFamily(identity);
  if (said.uoa === 'ipo' && family === 6) problems.add([...path, 'uoa'], 'IPv6 has no options of IPv4: expected opp');
  for (const [index, address] of localAddresses.entries()) {
    const at = [...path, 'local_addresses', index];
    if (address.family !== family)
      problems.add(at, `expected an address of the service's family, got ${formatAddress(address)}`);
    const before = localAddresses.slice(0, index).findIndex((one) => equalAddresses(one, address));
    if (before >= 0)
      problems.again(at, [...path, 'local_addresses', before], `${formatAddress(address)} is there twice`);
  }
}

function resolvePersistence(said: Said, family: 4 | 6, path: Path, problems: Problems): Persistence | undefined {
  if (said.persistence === undefined) return undefined;
  const {
    timeout = persistenceTimeoutS,
    mask: written,
  }: { timeout?: number | undefined; mask?: number | Address | undefined } = said.persistence;
  const whole = prefixMask(family, family === 4 ? 32 : 128);
  const mask = written === undefined ? whole : toMask(family, written);
  if (mask === undefined)
    problems.add(
      [...path, 'persistence', 'mask'],
      `expected a mask of IPv${family}${family === 6 ? ', by its length' : ''}`,
    );
  return { timeoutS: timeout, mask: mask ?? whole };
}

/** Of the service; a destination's own take their place. */
function checksOf(identity: ServiceIdentity, said: Said, path: Path, problems: Problems): readonly Check[] {
  if (said.checks !== undefined) return resolveChecks(said.checks, said.check, [...path, 'checks'], problems);
  const isTcp = identity.kind === 'address' && identity.protocol === 'tcp' && identity.port !== 0;
  return isTcp ? [resolveCheck({ tcp: {} }, said.check ?? {}, [...path, 'checks'], problems)] : [];
}

function resolveChecks(
  written: readonly WrittenCheck[],
  settings: WrittenCheckSettings | undefined,
  path: Path,
  problems: Problems,
): readonly Check[] {
  return written.map((check, index) => resolveCheck(check, settings ?? {}, [...path, index], problems));
}

function resolveDestinations(
  identity: ServiceIdentity,
  said: Said,
  checks: readonly Check[],
  path: Path,
  problems: Problems,
): readonly DeclaredDestination[] {
  const known = new Map<string, number>();
  const resolved: DeclaredDestination[] = [];
  const pathOf = (index: number): Path => [...path, 'destinations', index];
  for (const [index, written] of (said.destinations ?? []).entries()) {
    const at = (): Path => pathOf(index);
    const destination = destinationOf(identity, written, said, at, problems);
    const key = destinationKey(destination);
    const before = known.get(key);
    if (before === undefined) known.set(key, index);
    else problems.again(at(), pathOf(before), `the destination ${key} is there twice`);
    if (said.one_packet && destination.method === 'fullnat')
      problems.add(at(), 'full NAT needs connections, and one-packet scheduling has none');
    if (!isAdmitted(identity, destination, at, problems)) continue;
    const own =
      written.checks === undefined ? checks : resolveChecks(written.checks, said.check, [...at(), 'checks'], problems);
    const onFailure = written.on_failure ?? said.on_failure ?? 'remove';
    const notify = written.notify === undefined ? noNotify : resolveNotify(written.notify);
    resolved.push(declaredOf(destination, { checks: own, onFailure, notify }));
  }
  return resolved;
}

const noNotify: Notify = {};

/** Member by member: each object that is spread into another has a shape of its own, which is as large as itself. */
function declaredOf(
  { rip, port, method, weight, upperThreshold, lowerThreshold, tunnel }: Destination,
  { checks, onFailure, notify }: Pick<DeclaredDestination, 'checks' | 'onFailure' | 'notify'>,
): DeclaredDestination {
  const declared: { -readonly [Name in keyof DeclaredDestination]: DeclaredDestination[Name] } = {
    rip,
    port,
    method,
    weight,
    checks,
    onFailure,
    notify,
  };
  if (upperThreshold !== undefined) declared.upperThreshold = upperThreshold;
  if (lowerThreshold !== undefined) declared.lowerThreshold = lowerThreshold;
  if (tunnel !== undefined) declared.tunnel = tunnel;
  return declared;
}

/** Where something is, made into a path only when there is something to be said of it. */
type At = () => Path;

type WrittenServer = Partial<Omit<WrittenDestination, 'rip'>> & { readonly rip: WrittenEndpoint };

function destinationOf(
  identity: ServiceIdentity,
  written: WrittenServer,
  said: Said,
  at: At,
  problems: Problems,
): Destination {
  const method: Method = written.method ?? said.method ?? 'masq';
  if (written.port !== undefined && written.rip.port !== undefined)
    problems.add([...at(), 'port'], 'expected the port once, here or behind the address');
  const servicePort = identity.kind === 'address' ? identity.port : 0;
  const port = written.port ?? written.rip.port ?? servicePort;
  if ((method === 'gate' || method === 'tunnel') && port !== servicePort && identity.kind === 'address')
    problems.add(
      at(),
      `${method} leaves ports as they are: expected port ${servicePort}, as the service's, got ${port}`,
    );
  if (written.tunnel !== undefined && method !== 'tunnel')
    problems.add([...at(), 'tunnel'], `expected method: tunnel beside it, got ${method}`);
  const destination: { -readonly [Name in keyof Destination]: Destination[Name] } = {
    rip: written.rip.address,
    port,
    method,
    weight: written.weight ?? said.weight ?? 1,
  };
  const upper = written.upper_threshold ?? said.upper_threshold ?? 0;
  const lower = written.lower_threshold ?? said.lower_threshold ?? 0;
  if (upper !== 0) destination.upperThreshold = upper;
  if (lower !== 0) destination.lowerThreshold = lower;
  const tunnel = method === 'tunnel' ? resolveTunnel(written.tunnel ?? said.tunnel, at, problems) : undefined;
  if (tunnel !== undefined) destination.tunnel = tunnel;
  return destination;
}

function resolveTunnel(written: WrittenDestination['tunnel'], at: At, problems: Problems): Tunnel | undefined {
  if (written === undefined) return undefined;
  const {
    type,
    port,
    checksum = 'none',
  }: { type: Tunnel['type']; port?: number | undefined; checksum?: Tunnel['checksum'] | undefined } = written;
  if (port !== undefined && type !== 'gue')
    problems.add([...at(), 'tunnel', 'port'], `a tunnel of type ${type} has no port`);
  if (checksum !== 'none' && (type === 'ipip' || (type === 'gre' && checksum === 'remote')))
    problems.add([...at(), 'tunnel', 'checksum'], `a tunnel of type ${type} has no ${checksum} checksum`);
  if (type === 'ipip') return undefined;
  return { type, port: type === 'gue' ? (port ?? guePort) : 0, checksum };
}

/** By IPVS's rules. */
function isAdmitted(identity: ServiceIdentity, destination: Destination, at: At, problems: Problems): boolean {
  try {
    checkNewDestination(identity, destination);
    return true;
  } catch (error) {
    if (!(error instanceof FairleadError)) throw error;
    problems.add(at(), error.message);
    return false;
  }
}

type WrittenNotify = NonNullable<WrittenService['notify']>;

function resolveNotify(written: Partial<WrittenNotify> | undefined): Notify {
  const { up, down, quorum_up, quorum_down } = written ?? {};
  return {
    ...(up && { up }),
    ...(down && { down }),
    ...(quorum_up && { quorumUp: quorum_up }),
    ...(quorum_down && { quorumDown: quorum_down }),
  };
}

function resolveQuorum(written: WrittenService['quorum']): Quorum {
  const { weight = 1, hysteresis = 0 }: { weight?: number | undefined; hysteresis?: number | undefined } =
    written ?? {};
  return { weight, hysteresis };
}

// What a check asks of a destination, and by which path.
import { createHash } from 'node:crypto';
import { networkInterfaces } from 'node:os';
import { type ProbePath, pathKey } from '../dataplane/probe-paths.ts';
import type { Policy, Probe } from '../health/monitor.ts';
import type { Target } from '../health/target.ts';
import { type Address, formatAddress } from '../model/address.ts';
import type { Check } from '../model/check.ts';
import type { DeclaredDestination, DeclaredService } from '../model/declared.ts';

/** Whether an address is one of this host's own: then it is asked directly, for no packet to it leaves. */
export type IsOwn = (address: Address) => boolean;

export interface OwnAddresses {
  readonly has: IsOwn;
  /** Another when others are the host's own. */
  readonly text: string;
}

export function ownAddresses(): OwnAddresses {
  const own = new Set(Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address)));
  const has = (address: Address): boolean =>
    own.has(formatAddress(address)) || (address.family === 4 && address.bytes[0] === 127);
  return { has, text: [...own].sort().join() };
}

/** By pathKey. */
export type PathAddresses = ReadonlyMap<string, Address>;
export const noPaths: PathAddresses = new Map();

/** What is around the services, and has a part in what their probes are. */
export interface Surroundings {
  readonly own: OwnAddresses;
  readonly pathAddresses: PathAddresses;
}

export interface FoundProbe {
  /** Those that ask the same of the same have the same. */
  readonly key: string;
  readonly probe: Probe;
  /** That leads there as clients' packets go; undefined: it is asked directly. */
  readonly path: ProbePath | undefined;
}

export function probeOf(
  service: DeclaredService,
  destination: DeclaredDestination,
  check: Check,
  { own, pathAddresses }: Surroundings,
): FoundProbe {
  const path = pathOf(service, destination, check, own.has);
  const target = toTarget(service, destination, check, path && pathAddresses.get(pathKey(path)));
  const policy = policyOf(check);
  return { key: probeKey(target, policy, path), probe: { target, check: policy }, path };
}

/** Destinations of one service mostly share their checks, and so what remains of these. */
const policies = new WeakMap<Check, Policy>();

function policyOf(check: Check): Policy {
  const known = policies.get(check);
  if (known !== undefined) return known;
  const { target: _, ...policy } = check;
  policies.set(check, policy);
  return policy;
}

function pathOf(
  { identity }: DeclaredService,
  { rip, method, tunnel }: DeclaredDestination,
  { checker, target }: Check,
  isOwn: IsOwn,
): ProbePath | undefined {
  if (target.path === 'direct' || identity.kind === 'mark' || isOwn(rip)) return undefined;
  if (checker.kind === 'agent' || checker.kind === 'passive') return undefined;
  if (method !== 'gate' && method !== 'tunnel') return undefined;
  return { vip: identity.vip, rip, method, ...(tunnel && { tunnel }) };
}

function toTarget(
  { identity }: DeclaredService,
  { rip, port, method }: DeclaredDestination,
  { target }: Check,
  path: Address | undefined,
): Target {
  const isTranslated = method === 'masq' || method === 'fullnat';
  const service = identity.kind === 'address' ? { vip: identity.vip, vport: identity.port } : undefined;
  return {
    address: path ?? target.address ?? rip,
    // Real servers of gate and tunnel are asked for the service's own port, whatever is written beside them.
    port: target.port ?? (isTranslated ? port : (service?.vport ?? port)),
    rip,
    ...service,
    // The program at the probe addresses chooses the source.
    ...(target.source && path === undefined && { source: target.source }),
    ...(target.mark !== undefined && { mark: target.mark }),
  };
}

/** The same from one run of the daemon to the next, which the address of a path is not. */
function probeKey(target: Target, policy: Policy, path: ProbePath | undefined): string {
  const { vip, vport, ...rest } = target;
  const tells = ['exec', 'http', 'https'].includes(policy.checker.kind); // who is told, or asked for, the service
  const whom = path === undefined ? rest : { ...rest, address: pathKey(path) };
  const text = JSON.stringify([whom, tells ? [vip, vport] : [], policy], (_, value: unknown) =>
    isAddress(value) ? formatAddress(value) : value,
  );
  return createHash('sha256').update(text).digest('base64url');
}

function isAddress(value: unknown): value is Address {
  return typeof value === 'object' && value !== null && 'bytes' in value && 'family' in value;
}
